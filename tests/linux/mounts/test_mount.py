"""Option words of the OCI runtime spec, and the kernel's table of mounts as text."""

from __future__ import annotations

import pytest

from orchestra.linux.mounts import mount
from orchestra.linux.mounts.mount import Options, attributes_of, parse_options
from orchestra.linux.mounts.mountinfo import Mount, load_mounts, parse_mountinfo


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ([], Options()),
        (["ro", "nosuid"], Options(mount.MS_RDONLY | mount.MS_NOSUID)),
        (["ro", "rw"], Options(0, mount.MS_RDONLY)),
        (["rw", "ro"], Options(mount.MS_RDONLY)),
        (["rbind", "rslave"], Options(mount.MS_BIND | mount.MS_REC, 0, (mount.MS_SLAVE | mount.MS_REC,))),
        (["rro"], Options(recursive=mount.MOUNT_ATTR_RDONLY)),
        (["size=64k", "nodev", "mode=755"], Options(mount.MS_NODEV, data="size=64k,mode=755")),
        (["lowerdir=/a,b", "xino=off"], Options(data="lowerdir=/a,b,xino=off")),
        (["defaults"], Options()),
    ],
)
def test_option_words(words, expected):
    assert parse_options(words) == expected


def test_the_last_word_on_a_subject_counts():
    for on, off in (("nosuid", "suid"), ("nodev", "dev"), ("noexec", "exec"), ("noatime", "atime"), ("sync", "async")):
        assert parse_options([on, off]).flags == 0
        assert parse_options([off, on]).flags == mount.FLAGS[on][0]
        assert parse_options([off, on]).cleared == 0


def test_every_word_is_of_one_kind_only():
    kinds = (mount.FLAGS, mount.PROPAGATION, mount.RECURSIVE)
    assert len({word for kind in kinds for word in kind}) == sum(map(len, kinds))


def test_flags_as_attributes():
    flags = mount.MS_RDONLY | mount.MS_NOEXEC | mount.MS_BIND | mount.MS_REC
    assert attributes_of(flags) == mount.MOUNT_ATTR_RDONLY | mount.MOUNT_ATTR_NOEXEC


def test_mountinfo_is_taken_apart():
    lines = (
        "36 35 98:0 /mnt1 /mnt\\0402 rw,noatime master:1 propagate_from:2 - ext3 /dev/root rw,errors=continue",
        "37 35 0:5 / /back\\134slash rw - tmpfs none rw",
    )
    assert list(parse_mountinfo(lines)) == [
        Mount("/mnt1", "/mnt 2", "ext3", "/dev/root", ("rw", "errors=continue")),
        Mount("/", "/back\\slash", "tmpfs", "none", ("rw",)),
    ]


def test_the_machines_own_table_can_be_read():
    assert any(found.point == "/proc" and found.kind == "proc" for found in load_mounts())
