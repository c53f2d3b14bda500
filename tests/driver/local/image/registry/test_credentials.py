import base64
import json
import os

import pytest

from orchestra.driver.local.image.naming.name import DEFAULT_CREDENTIALS, parse_name
from orchestra.driver.local.image.registry.challenge import Challenge, parse_challenges
from orchestra.driver.local.image.registry.credentials import Credentials, find_credentials
from orchestra.errors import FatalError


def auth(user, password):
    return {"auth": base64.b64encode(f"{user}:{password}".encode()).decode()}


@pytest.fixture
def environment(tmp_path):
    """A home of its own, and programs of its own before all others."""
    for name in (".docker", ".config/containers", "runtime/containers", "bin"):
        (tmp_path / name).mkdir(parents=True)
    path = f"{tmp_path}/bin:{os.environ['PATH']}"
    return {"HOME": str(tmp_path), "XDG_RUNTIME_DIR": f"{tmp_path}/runtime", "PATH": path}


@pytest.fixture
def write(tmp_path):
    def write(name, document):
        (tmp_path / name).write_text(document if isinstance(document, str) else json.dumps(document))

    return write


def helper(tmp_path, name, script):
    program = tmp_path / "bin" / f"docker-credential-{name}"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)


def test_no_user_is_known_without_a_file(environment):
    assert find_credentials("registry.example/app", environment) is None


@pytest.mark.parametrize(
    "key",
    [
        "a.example",
        "https://a.example",
        "https://a.example/v1/",
        "http://a.example/",
        "a.example/team",
        "a.example/team/app",
    ],
)
def test_registries_are_found_by_every_form_of_their_name(environment, write, key):
    write(".docker/config.json", {"auths": {key: auth("me", "se:cret")}})
    assert find_credentials("a.example/team/app", environment) == Credentials("me", "se:cret")
    assert find_credentials("b.example/team/app", environment) is None


def test_the_default_registry_has_a_key_of_its_own(environment, write):
    write(".docker/config.json", {"auths": {DEFAULT_CREDENTIALS: auth("me", "x")}})
    assert find_credentials(parse_name("nginx").repository, environment) == Credentials("me", "x")


def test_the_most_particular_key_counts(environment, write):
    write(
        ".config/containers/auth.json", {"auths": {"a.example": auth("all", "x"), "a.example/team": auth("team", "y")}}
    )
    assert find_credentials("a.example/team/app", environment) == Credentials("team", "y")
    assert find_credentials("a.example/teams/app", environment) == Credentials("all", "x")


def test_files_count_in_order_and_one_may_be_named(environment, write, tmp_path):
    write(".docker/config.json", {"auths": {"a.example": auth("docker", "x")}})
    write("runtime/containers/auth.json", {"auths": {"a.example": auth("runtime", "x")}})
    write("other.json", {"auths": {"a.example": auth("other", "x")}})
    assert find_credentials("a.example/x", environment) == Credentials("runtime", "x")
    named = {**environment, "REGISTRY_AUTH_FILE": f"{tmp_path}/other.json"}
    assert find_credentials("a.example/x", named) == Credentials("other", "x")


def test_a_helper_of_one_registry_is_asked(environment, write, tmp_path):
    write(".docker/config.json", {"credHelpers": {"a.example": "one"}, "auths": {"a.example": {}}})
    helper(tmp_path, "one", """read server; printf '{"Username": "me", "Secret": "%s"}' "$server" """)
    assert find_credentials("a.example/x", environment) == Credentials("me", "a.example")


def test_the_store_for_all_is_asked_and_may_know_nothing(environment, write, tmp_path):
    write(".docker/config.json", {"credsStore": "store", "auths": {"b.example": auth("file", "x")}})
    helper(tmp_path, "store", """
read server
[ "$server" = a.example ] || { echo 'credentials not found in native keychain'; exit 1; }
echo '{"Username": "<token>", "Secret": "refresh"}'
""")  # fmt: skip
    assert find_credentials("a.example/x", environment) == Credentials(identity="refresh")
    assert find_credentials("b.example/x", environment) == Credentials("file", "x")


def test_helpers_that_fail_are_named(environment, write, tmp_path):
    write(".docker/config.json", {"credHelpers": {"a.example": "broken", "b.example": "missing", "c.example": "../x"}})
    helper(tmp_path, "broken", "echo 'keychain is locked' >&2; exit 1")
    for host, words in (("a", "keychain is locked"), ("b", "not installed"), ("c", "not the name")):
        with pytest.raises(FatalError, match=words):
            find_credentials(f"{host}.example/x", environment)


@pytest.mark.parametrize("text", ["{", "[]", '{"auths": 3}', '{"auths": {"a.example": {"auth": "!"}}}'])
def test_a_file_that_makes_no_sense_is_named(environment, write, text):
    write(".docker/config.json", text)
    with pytest.raises(FatalError, match=r"config\.json"):
        find_credentials("a.example/x", environment)


def test_secrets_do_not_show():
    assert "s3cret" not in repr(Credentials("me", "s3cret", "s3cret"))


@pytest.mark.parametrize(
    ("header", "challenges"),
    [
        ("Basic", [Challenge("basic")]),
        ('Basic realm="x y"', [Challenge("basic", {"realm": "x y"})]),
        (
            'Bearer realm="https://a/token",service=a,scope="repository:x:pull,push"',
            [Challenge("bearer", {"realm": "https://a/token", "service": "a", "scope": "repository:x:pull,push"})],
        ),
        (
            'Basic realm="a, b", Bearer realm="c"',
            [Challenge("basic", {"realm": "a, b"}), Challenge("bearer", {"realm": "c"})],
        ),
        (r'Basic Realm = "a\"b"', [Challenge("basic", {"realm": 'a"b'})]),
        ("", []),
        ('"', []),
    ],
)
def test_challenges_are_read_as_http_writes_them(header, challenges):
    assert list(parse_challenges([header])) == challenges
