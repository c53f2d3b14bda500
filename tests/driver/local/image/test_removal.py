import os
import stat

import pytest

from orchestra.driver.local.image.removal import remove_tree, tree_size
from orchestra.linux.mounts import mount

from .making import in_mount_namespace


def test_what_is_not_there_need_not_be_removed(tmp_path):
    remove_tree(str(tmp_path / "nothing"))
    remove_tree(str(tmp_path / "no/parent/either"))


def test_a_file_and_a_link_are_removed_as_themselves(tmp_path):
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept/file").touch()
    (tmp_path / "link").symlink_to("kept")
    (tmp_path / "file").touch()
    remove_tree(str(tmp_path / "link"))
    remove_tree(str(tmp_path / "file"))
    assert [item.name for item in tmp_path.iterdir()] == ["kept"]
    assert (tmp_path / "kept/file").exists()


def test_links_inside_are_not_followed(tmp_path):
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept/file").touch()
    (tmp_path / "tree/a").mkdir(parents=True)
    (tmp_path / "tree/a/link").symlink_to(tmp_path / "kept")
    (tmp_path / "tree/up").symlink_to("..")
    remove_tree(str(tmp_path / "tree"))
    assert (tmp_path / "kept/file").exists()
    assert not (tmp_path / "tree").exists()


def test_trees_deeper_than_paths_and_stacks_allow_are_measured_and_removed(tmp_path):
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree/other").write_bytes(bytes(4096))
    os.link(tmp_path / "tree/other", tmp_path / "tree/another")
    fd = os.open(tmp_path / "tree", os.O_RDONLY | os.O_DIRECTORY)
    for _ in range(5000):
        os.mkdir("deep", dir_fd=fd)
        below = os.open("deep", os.O_RDONLY | os.O_DIRECTORY, dir_fd=fd)
        os.close(os.open("file", os.O_CREAT | os.O_WRONLY, dir_fd=fd))
        os.close(fd)
        fd = below
    blocks = os.fstat(fd).st_blocks * 5000 + os.stat(tmp_path / "tree/other").st_blocks
    os.close(fd)
    assert tree_size(str(tmp_path / "tree")) == blocks * 512 > 0
    remove_tree(str(tmp_path / "tree"))
    assert list(tmp_path.iterdir()) == []


def test_wide_trees_and_names_like_our_own_are_removed(tmp_path):
    for index in range(300):
        (tmp_path / f"tree/{index % 7}/.{index}.0/..{index}").mkdir(parents=True)
        (tmp_path / f"tree/{index % 7}/file-{index}\n\\").touch()
    remove_tree(str(tmp_path / "tree"))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="needs root for devices and mounts")
def test_odd_modes_devices_and_sockets_are_removed(tmp_path):
    (tmp_path / "tree/closed/inner").mkdir(parents=True)
    os.mknod(tmp_path / "tree/whiteout", stat.S_IFCHR, 0)
    os.mkfifo(tmp_path / "tree/fifo")
    os.setxattr(tmp_path / "tree/closed", "trusted.overlay.opaque", b"y")
    os.chmod(tmp_path / "tree/closed", 0)
    os.chmod(tmp_path / "tree", 0)
    remove_tree(str(tmp_path / "tree"))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="needs root for devices and mounts")
@pytest.mark.parametrize("point", ["tree", "tree/a/b"])
def test_mounts_are_never_entered(tmp_path, point):
    """Not even where a file system is bound into itself, whose device number says nothing."""
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious/file").touch()
    (tmp_path / "tree/a/b").mkdir(parents=True)

    def attempt():
        mount.mount(str(tmp_path / "precious"), str(tmp_path / point), flags=mount.MS_BIND)
        with pytest.raises(OSError, match="busy"):
            remove_tree(str(tmp_path / "tree"))
        return (tmp_path / "precious/file").exists()

    assert in_mount_namespace(attempt)


def test_what_is_no_directory_has_no_size(tmp_path):
    (tmp_path / "file").write_bytes(b"x")
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree/link").symlink_to("..")
    assert [tree_size(str(tmp_path / name)) for name in ("file", "missing")] == [0, 0]
    assert tree_size(str(tmp_path / "tree")) == os.lstat(tmp_path / "tree/link").st_blocks * 512
