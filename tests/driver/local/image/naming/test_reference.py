import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestra.driver.local.image.naming.reference import (
    DockerArchive,
    OciArchive,
    OciDirectory,
    Registry,
    Tree,
    parse_reference,
)
from orchestra.errors import FatalError


@pytest.mark.parametrize(
    ("text", "reference"),
    [
        ("oci:/images/app", OciDirectory("/images/app")),
        ("oci:/images/app:1.2", OciDirectory("/images/app", "1.2")),
        ("oci:/images/app:example/app:1.2", OciDirectory("/images/app", "example/app:1.2")),
        ("oci-archive:/app.tar", OciArchive("/app.tar")),
        ("oci-archive:/app.tar:v1", OciArchive("/app.tar", "v1")),
        ("docker-archive:/app.tar", DockerArchive("/app.tar")),
        ("docker-archive:/app.tar:nginx:1.27", DockerArchive("/app.tar", "nginx:1.27")),
        ("docker-archive:/app.tar:@2", DockerArchive("/app.tar", index=2)),
        ("rootfs:/", Tree("/")),
        ("rootfs:/with:colon", Tree("/with:colon")),
        ("nginx", Registry("nginx")),
        ("nginx:1.27", Registry("nginx:1.27")),
        ("localhost:5000/app:1", Registry("localhost:5000/app:1")),
        ("oci", Registry("oci")),
    ],
)
def test_each_transport_is_read_as_containers_transports_defines_it(text, reference):
    assert parse_reference(text) == reference


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "not a reference"),
        ("two words", "not a reference"),
        ("oci:relative", "not an absolute path"),
        ("oci::tag", "not an absolute path"),
        ("rootfs:", "not an absolute path"),
        ("rootfs:/a\0b", "not an absolute path"),
        ("docker-archive:/a:@x", "not the number of an image"),
        ("docker-archive:/a:@²", "not the number of an image"),
        ("docker://nginx", "not supported"),
        ("docker-daemon:nginx:1", "not supported"),
        ("containers-storage:nginx", "not supported"),
        ("dir:/somewhere", "not supported"),
    ],
)
def test_what_is_no_reference_is_refused_with_a_way_out(text, words):
    with pytest.raises(FatalError, match=words) as caught:
        parse_reference(text)
    assert caught.value.hint


@given(st.text())
def test_any_text_is_a_reference_or_a_fatal_error(text):
    with contextlib.suppress(FatalError):
        parse_reference(text)
