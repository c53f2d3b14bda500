import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestra.driver.local.image.naming.name import ImageName, endpoint_of, parse_name
from orchestra.errors import FatalError

HEX = "0123456789abcdef" * 4


@pytest.mark.parametrize(
    ("text", "whole"),
    [
        ("nginx", "docker.io/library/nginx:latest"),
        ("nginx:1.27", "docker.io/library/nginx:1.27"),
        ("team/app", "docker.io/team/app:latest"),
        ("docker.io/nginx", "docker.io/library/nginx:latest"),
        ("index.docker.io/library/nginx", "docker.io/library/nginx:latest"),
        ("localhost/app", "localhost/app:latest"),
        ("localhost:5000/app:1", "localhost:5000/app:1"),
        ("registry.example/a/b/c:v1.2_3-x", "registry.example/a/b/c:v1.2_3-x"),
        ("[::1]:5000/app", "[::1]:5000/app:latest"),
        ("Registry/app", "Registry/app:latest"),
        (f"nginx@sha256:{HEX}", f"docker.io/library/nginx@sha256:{HEX}"),
        (f"nginx:1@sha256:{HEX}", f"docker.io/library/nginx:1@sha256:{HEX}"),
        ("a__b/c--d/e.f", "docker.io/a__b/c--d/e.f:latest"),
    ],
)
def test_names_are_completed_as_docker_does(text, whole):
    name = parse_name(text)
    assert str(name) == whole
    assert parse_name(whole) == name


def test_a_name_shows_as_people_write_it():
    assert parse_name("nginx").familiar == "nginx"
    assert parse_name("team/app").familiar == "team/app"
    assert parse_name("registry.example/library/app").familiar == "registry.example/library/app"


def test_a_digest_counts_more_than_a_tag():
    assert parse_name(f"app:1@sha256:{HEX}").wanted == f"sha256:{HEX}"
    assert parse_name("app:1").wanted == "1"


def test_the_default_registry_answers_elsewhere_than_it_is_called():
    assert endpoint_of(parse_name("nginx").host) != "docker.io"
    assert endpoint_of("registry.example:5000") == "registry.example:5000"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "not a path"),
        ("Nginx", "capital letters"),
        ("registry.example/App", "capital letters"),
        ("app:", "not a tag"),
        ("app:-x", "not a tag"),
        ("app:" + "x" * 129, "not a tag"),
        ("app@sha256:12", "not a digest"),
        (f"app@sha512:{HEX}{HEX}", "not a digest"),
        ("app@", "not a digest"),
        ("a//b", "not a path"),
        ("-a.b/c", "not a host name"),
        ("host:x/app", "not a host name"),
        ("../../etc/passwd", "not a host name"),
        ("a/../b", "not a path"),
        ("x" * 256, "not a path"),
        ("a.b/" + "x" * 256, "not a path"),
    ],
)
def test_what_no_registry_could_know_is_refused_with_a_way_out(text, words):
    with pytest.raises(FatalError, match=words) as caught:
        parse_name(text)
    assert caught.value.hint


@given(st.text(alphabet=st.sampled_from("aB0.:/@-_[] é"), max_size=40))
def test_any_text_is_a_name_or_refused(text):
    with contextlib.suppress(FatalError):
        name = parse_name(text)
        assert parse_name(str(name)) == name
        assert isinstance(name, ImageName)
