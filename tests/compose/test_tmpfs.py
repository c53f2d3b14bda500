"""Options of ``tmpfs``: what Docker and the kernel take, and nothing else."""

from __future__ import annotations

import pytest

from orchestra.compose.tmpfs import parse_tmpfs_options, size_in_bytes
from orchestra.model.mount import TmpfsMount
from tests.compose.test_loading import only


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", ()),
        ("defaults", ()),
        ("exec,mode=1777", ("exec", "mode=1777")),
        ("uid=33,gid=33", ("uid=33", "gid=33")),
        ("size=50%", ("size=50%",)),
        ("size=64m,size=0x100000", ("size=0x100000",)),
        ("size=1.5GB", ("size=1610612736",)),
        ("size=64mb,nr_inodes=10k,nr_blocks=0", ("size=67108864", "nr_inodes=10k", "nr_blocks=0")),
        ("noexec,exec,suid,dev", ("exec", "suid", "dev")),
        ("noatime,nodiratime,sync,dirsync", ("noatime", "nodiratime", "sync", "dirsync")),
        ("rshared,private", ("private",)),
        ("huge=advise,mpol=bind:0-1,mode=0700", ("huge=advise", "mpol=bind:0-1", "mode=700")),
    ],
)
def test_what_is_taken(text, words):
    assert parse_tmpfs_options(text) == (False, words, ())


@pytest.mark.parametrize(("text", "read_only"), [("ro", True), ("rw", False), ("ro,rw", False), ("rw,ro,exec", True)])
def test_of_ro_and_rw_the_later_counts(text, read_only):
    assert parse_tmpfs_options(text).read_only is read_only


@pytest.mark.parametrize(
    ("option", "reason"),
    [
        ("exce", "no such option"),
        ("bind", "no such option"),
        ("remount", "no such option"),
        ("exec=1", "no such option"),
        ("uid", "needs a value, such as uid=1000"),
        ("uid=www-data", "use a number"),
        ("gid=4294967295", "use a number"),
        ("mode=888", "an octal number"),
        ("mode=17777", "an octal number"),
        ("size=much", "is not a size"),
        ("size=-1", "a size cannot be negative"),
        ("nr_inodes=50%", "use a number"),
        ("huge=yes", "use one of never"),
        ("mpol=random", "use one of default"),
    ],
)
def test_what_is_refused(option, reason):
    [problem] = parse_tmpfs_options(f"ro,{option}").problems
    assert problem.startswith(f"tmpfs option {option}: ")
    assert reason in problem


def test_every_refused_option_is_reported_with_its_place(folder):
    text = folder.refused("services:\n  a:\n    image: x\n    tmpfs:\n      - /run:exce,mode=9\n      - /x:uid=me\n")
    assert [
        line.partition(": no")[0].partition(": use")[0] for line in text.splitlines() if "tmpfs option" in line
    ] == [
        "error: compose.yaml:5:9: tmpfs option exce",
        "error: compose.yaml:5:9: tmpfs option mode=9",
        "error: compose.yaml:6:9: tmpfs option uid=me",
    ]


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ("{size: 50%, mode: 0o700}", ("size=50%", "mode=700")),
        ("{size: 64m}", ("size=67108864",)),
        ("{size: 0, mode: 0}", ("mode=0",)),
    ],
)
def test_the_long_syntax(folder, said, words):
    text = f"services: {{a: {{image: x, volumes: [{{type: tmpfs, target: /t, tmpfs: {said}}}]}}}}\n"
    assert only(folder.load(text), "a").mounts == (TmpfsMount("/t", options=words),)


def test_sizes_count_as_the_kernel_counts_them():
    sizes = ["64m", "2G", "0x10", "0x1e", "010", "5", "0", "50%"]
    assert [size_in_bytes(size) for size in sizes] == [64 << 20, 2 << 30, 16, 30, 8, 5, 0, None]
