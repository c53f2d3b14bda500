"""Files by path, whatever becomes of them and of what leads to them."""

from __future__ import annotations

import os
import select
import shutil

import pytest

from orchestra.stacks.following.watch import Watch


@pytest.fixture
def end():
    reader, writer = os.pipe()
    yield reader, writer
    os.close(reader)


@pytest.fixture
def file(tmp_path):
    """At ``link/sub/file``, where ``link`` leads to ``one``."""
    (tmp_path / "one/sub").mkdir(parents=True)
    (tmp_path / "one/sub/file").write_text("1")
    (tmp_path / "two/sub").mkdir(parents=True)
    (tmp_path / "link").symlink_to("one")
    return tmp_path / "link/sub/file"


def rename_over(file):
    (file.parent / "new").write_text("2")
    (file.parent / "new").rename(file)


def lead_elsewhere(file):
    link = file.parent.parent
    (link.parent / "other").symlink_to("two")
    (link.parent / "other").rename(link)


CHANGES = {
    "written": lambda file: file.write_text("2"),
    "removed": lambda file: file.unlink(),
    "replaced": rename_over,
    "its directory removed": lambda file: shutil.rmtree(file.parent),
    "its directory moved": lambda file: file.parent.rename(file.parent.parent / "moved"),
    "a directory above it moved": lambda file: (file.parent.parent.parent / "one").rename(
        file.parent.parent.parent / "three"
    ),
    "a link above it replaced": lead_elsewhere,
}


@pytest.mark.parametrize("change", CHANGES)
def test_every_change_is_noticed(file, end, change):
    with Watch([str(file)]) as watch:
        CHANGES[change](file)
        assert watch.wait(end[0])
    os.close(end[1])


def test_a_missing_file_is_noticed_when_it_comes_and_what_is_beside_it_is_not(tmp_path, end):
    with Watch([str(tmp_path / "a/b/file")]) as watch:
        (tmp_path / "beside").write_text("1")
        os.close(end[1])
        assert not watch.wait(end[0])
        (tmp_path / "a").mkdir()
        assert watch.wait(os.open("/dev/zero", os.O_RDONLY))
    assert select.select([end[0]], [], [], 0)[0]
