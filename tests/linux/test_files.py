"""Small wrappers: file events, pipes shown, terminals, sockets with descriptors, redirections in a namespace."""

from __future__ import annotations

import os
import select
import shutil
import socket
import subprocess

import pytest

from orchestra.linux import inotify, private_files, tty, unix_socket
from orchestra.linux.inotify import Inotify
from orchestra.linux.network import nftables
from orchestra.linux.network.namespace import inside, is_pinned, pin_namespace, unpin_namespace
from orchestra.linux.pipe import tee

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")


def test_file_events(tmp_path):
    with Inotify() as events:
        assert events.read() == []
        watch = events.add(str(tmp_path), inotify.IN_CREATE | inotify.IN_MOVED_TO | inotify.IN_DELETE)
        (tmp_path / "a").touch()
        (tmp_path / "a").rename(tmp_path / "ünï")
        (tmp_path / "ünï").unlink()
        assert select.select([events], [], [], 5)[0]
        assert events.read() == [
            (watch, inotify.IN_CREATE, "a"),
            (watch, inotify.IN_MOVED_TO, "ünï"),
            (watch, inotify.IN_DELETE, "ünï"),
        ]
        events.remove(watch)
        assert [event.mask for event in events.read()] == [inotify.IN_IGNORED]
        with pytest.raises(FileNotFoundError, match="no-such"):
            events.add("/no-such", inotify.IN_MODIFY)
        with pytest.raises(NotADirectoryError):
            events.add(__file__, inotify.IN_MODIFY | inotify.IN_ONLYDIR)


def test_directories_are_made_where_another_removes_them(tmp_path, monkeypatch):
    """One that is there when it is to be made, and gone when it is looked at."""
    path, make = tmp_path / "a/b", os.mkdir

    def make_late(wanted, *arguments):
        monkeypatch.setattr(os, "mkdir", make)
        raise FileExistsError(wanted)

    monkeypatch.setattr(os, "mkdir", make_late)
    private_files.make_directories(str(path))
    assert path.is_dir()


def test_directories_are_made_beyond_a_link_but_not_in_place_of_a_file(tmp_path):
    (tmp_path / "link").symlink_to(tmp_path)
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    (tmp_path / "file").touch()
    private_files.make_directories(str(tmp_path / "link"))
    private_files.make_directories(str(tmp_path / "link/a"))
    assert (tmp_path / "a").is_dir()
    for name in ("dangling", "file"):
        with pytest.raises(FileExistsError):
            private_files.make_directories(str(tmp_path / name))


def test_a_pipe_is_shown_and_stays_full():
    source, target = os.pipe(), os.pipe()
    try:
        os.write(source[1], b"hello world")
        assert tee(source[0], target[1], 5) == 5
        assert os.read(target[0], 99) == b"hello"
        assert os.read(source[0], 99) == b"hello world"
        with pytest.raises(BlockingIOError):
            tee(source[0], target[1], 5)
        os.close(source[1])
        assert tee(source[0], target[1], 5) == 0
    finally:
        for fd in (source[0], *target):
            os.close(fd)


def test_a_terminal_pair():
    root = os.open("/", os.O_PATH | os.O_DIRECTORY)
    master, slave = tty.open_pair(root)
    os.close(root)
    try:
        tty.set_size(master, tty.Size(12, 34))
        assert tty.get_size(slave) == (12, 34)
        os.write(slave, b"a\n")
        assert os.read(master, 9) == b"a\r\n"
        with tty.RawMode(slave):
            os.write(slave, b"a\n")
            assert os.read(master, 9) == b"a\n"
        os.write(slave, b"a\n")
        assert os.read(master, 9) == b"a\r\n"
        assert not os.get_inheritable(master)
    finally:
        os.close(master)
        os.close(slave)


@pytest.mark.parametrize("length", [10, 200])
def test_sockets_of_any_path_pass_descriptors(tmp_path, length):
    path = tmp_path / ("d" * length)
    path.mkdir()
    name = str(path / "socket")
    with pytest.raises(FileNotFoundError) as caught:
        unix_socket.connect(name)
    assert caught.value.filename == name
    with unix_socket.listen(name) as listener:
        assert os.stat(name).st_mode & 0o777 == 0o600
        with unix_socket.connect(name) as client:
            server, _ = listener.accept()
            with server, open(os.devnull) as null:
                unix_socket.send(client, b"x" * 10, [null.fileno(), 0])
                data, fds = unix_socket.receive(server, 100)
                assert data == b"x" * 10
                assert [os.get_inheritable(fd) for fd in fds] == [False, False]
                assert os.path.samestat(os.fstat(fds[0]), os.fstat(null.fileno()))
                for fd in fds:
                    os.close(fd)
    with pytest.raises(ConnectionRefusedError):
        unix_socket.connect(name)
    unix_socket.listen(name).close()


@pytest.fixture
def namespace(tmp_path):
    path = str(tmp_path / "net")
    pin_namespace(path)
    yield path
    unpin_namespace(path)


@needs_root
def test_a_pinned_namespace_is_pinned_once(namespace):
    inode = os.stat(namespace).st_ino
    pin_namespace(namespace)
    assert os.stat(namespace).st_ino == inode
    assert inode != os.stat("/proc/self/ns/net").st_ino
    assert inside(namespace, os.readlink, "/proc/thread-self/ns/net") == f"net:[{inode}]"
    unpin_namespace(namespace)
    assert not is_pinned(namespace)
    assert not os.path.exists(namespace)
    unpin_namespace(namespace)


@needs_root
@pytest.mark.skipif(not shutil.which("nft"), reason="needs the program nft to read what was written")
def test_redirections_are_what_nft_reads(namespace):
    rules = [
        nftables.Redirection(protocol, "127.0.0.11", 53, port) for protocol, port in (("udp", 4053), ("tcp", 4054))
    ]
    assert not inside(namespace, nftables.has_table, "orc_t")
    for wanted in (rules[:1], rules):
        inside(namespace, nftables.redirect, "orc_t", wanted)
        listing = inside(namespace, subprocess.check_output, ["nft", "list", "ruleset"], text=True)
        assert "type nat hook output priority" in listing
        found = [line.strip() for line in listing.splitlines() if "dnat" in line]
        assert found == [
            f"ip daddr 127.0.0.11 {rule.protocol} dport 53 dnat to 127.0.0.11:{rule.to_port}" for rule in wanted
        ]
    assert inside(namespace, nftables.has_table, "orc_t")
    assert not inside(namespace, nftables.has_table, "orc_other")


@needs_root
def test_a_failed_transaction_is_an_error_and_changes_nothing(namespace):
    with pytest.raises(OSError, match="nftables"):
        inside(namespace, nftables.redirect, "t" * 300, [])
    with pytest.raises(OSError, match="No such file"):
        inside(namespace + "x", socket.socket)
