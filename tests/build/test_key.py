from __future__ import annotations

import pytest

from orchestra.build.key import parents_of, step_key
from orchestra.build.step import (
    BaseImage,
    BindMount,
    CacheMount,
    ContextFiles,
    Copy,
    DeviceRequest,
    Download,
    GitTree,
    InlineFiles,
    MakeDirectory,
    Network,
    Run,
    Scratch,
    SecretMount,
    Sharing,
)
from orchestra.record import replace

KEYS = {0: "a", 1: "b", 2: "c"}
RUN = Run(0, ("make",), (("PATH", "/bin"),), mounts=(BindMount("/m", 1), CacheMount("/c", "c"), SecretMount("s", "/s")))
COPY = Copy(0, 1, ("src",), "/app/")


@pytest.mark.parametrize(
    ("step", "key"),
    [
        (Scratch(), "bd646ff2c9b40589"),
        (InlineFiles((("é", b"\xff"),)), "58da29d2101cae4d"),
        (RUN, "4314ff6733945a19"),
        (COPY, "7f710fe1ea85b25a"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_keys_are_the_same_everywhere(step, key):
    assert step_key(step, KEYS)[:16] == key


@pytest.mark.parametrize(
    "other",
    [
        replace(RUN, base=2),
        replace(RUN, arguments=("make", "")),
        replace(RUN, environment=(("PATH", "/bin"), ("A", ""))),
        replace(RUN, directory="/app"),
        replace(RUN, user="app"),
        replace(RUN, network=Network.NONE),
        replace(RUN, insecure=True),
        replace(RUN, devices=(DeviceRequest("a.com/b=c"),)),
        replace(RUN, input=b""),
        replace(RUN, mounts=RUN.mounts[:1]),
        replace(RUN, mounts=(replace(RUN.mounts[0], source=2), *RUN.mounts[1:])),
        replace(RUN, mounts=(*RUN.mounts[:1], CacheMount("/c", "c", Sharing.LOCKED), *RUN.mounts[2:])),
        replace(RUN, mounts=(*RUN.mounts[:2], SecretMount("s", "/s", required=True))),
    ],
)
def test_everything_that_a_command_can_see_counts(other):
    assert step_key(other, KEYS) != step_key(RUN, KEYS)


def test_proxies_and_numbers_of_steps_do_not_count():
    assert step_key(replace(RUN, proxies=(("HTTP_PROXY", "x"),)), KEYS) == step_key(RUN, KEYS)
    assert step_key(replace(RUN, base=7), {**KEYS, 7: "a"}) == step_key(RUN, KEYS)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (BaseImage("a", "linux/amd64"), BaseImage("a:latest", "linux/amd64")),
        (ContextFiles(), ContextFiles("docs")),
        (Download("http://a/f", "f"), Download("http://b/f", "f", "sha256:…")),
        (GitTree("a", "main"), GitTree("a", "v1")),
        (COPY, replace(COPY, source=2)),
    ],
)
def test_where_files_come_from_counts_only_while_they_are_not_known(one, other):
    assert step_key(one, KEYS) != step_key(other, KEYS)
    assert step_key(one, KEYS, "files") == step_key(other, KEYS, "files") != step_key(one, KEYS, "others")


@pytest.mark.parametrize("other", [replace(COPY, base=1), replace(COPY, owner="app"), replace(COPY, link=True)])
def test_how_files_are_copied_always_counts(other):
    assert step_key(COPY, KEYS, "files") != step_key(other, KEYS, "files")


def test_a_step_is_not_taken_for_another_with_the_same_fields():
    assert step_key(Scratch(), KEYS) != step_key(ContextFiles(), KEYS, "")
    assert step_key(MakeDirectory(0, "/a"), KEYS) != step_key(MakeDirectory(1, "/a"), KEYS)


@pytest.mark.parametrize(
    ("step", "parents"),
    [(Scratch(), ()), (COPY, (0, 1)), (MakeDirectory(2, "/"), (2,)), (RUN, (0, 1)), (replace(COPY, source=0), (0,))],
)
def test_parents_are_the_steps_whose_trees_are_used(step, parents):
    assert parents_of(step) == parents
