"""Programs in pods: input, output, sizes of terminals, exit codes and connections that break."""

from __future__ import annotations

import os
import socket
import ssl
import threading

import pytest

from orchestra.cluster.access import Access
from orchestra.cluster.api import Api
from orchestra.cluster.http import Http
from orchestra.cluster.multiplex import Demultiplexer
from orchestra.cluster.program import Program
from orchestra.errors import FatalError, TemporaryError, UserError
from tests.cluster.server import serving
from tests.cluster.websocket import OLDER, PONG, Remote
from tests.driver.local.image.registry.real import OPENSSL, make_certificate


@pytest.fixture
def begin(api, server):
    """Runs a function of the remote side, and gives the program with the ends of its pipes."""
    opened = []

    def begin(remote, *, terminal=False, protocol="v5.channel.k8s.io"):
        server.programs.append(lambda handler: remote(Remote(handler, protocol)))
        session = api.execute("web-1", ["cat", "-"], terminal=terminal)
        if terminal:
            program = Program(session, ())
            opened.append(program)
            return program
        pipes = [os.pipe() for _ in range(3)]
        program = Program(session, (pipes[0][0], pipes[1][1], pipes[2][1]))
        for fd in (pipes[0][0], pipes[1][1], pipes[2][1]):
            os.close(fd)
        opened.append(program)
        return program, os.fdopen(pipes[0][1], "wb", 0), os.fdopen(pipes[1][0], "rb"), os.fdopen(pipes[2][0], "rb")

    yield begin
    for program in opened:
        program.close()


def cat(remote):
    for channel, data in remote.received():
        if channel == 255:
            assert data == b"\0"
            break
        assert channel == 0
        remote.send(1, data)
    remote.send(2, b"done")
    remote.end(7)


def test_streams_and_the_exit_code(begin, server):
    program, stdin, stdout, stderr = begin(cat)
    stdin.write(b"hello")
    stdin.close()
    assert (stdout.read(), stderr.read(), program.wait()) == (b"hello", b"done", 7)
    (line,) = [line for line in server.seen if "/exec?" in line]
    assert "stdin=true&stdout=true&stderr=true&tty=false&command=cat&command=-" in line
    for each in (stdout, stderr):
        each.close()


def test_much_goes_both_ways_at_once(begin):
    program, stdin, stdout, stderr = begin(cat)
    content = os.urandom(1 << 20) * 8

    def write():
        with stdin:
            stdin.write(content)

    thread = threading.Thread(target=write)
    thread.start()
    assert stdout.read() == content
    thread.join()
    assert program.wait() == 7
    for each in (stdout, stderr):
        each.close()


@pytest.mark.skipif(not OPENSSL, reason="needs openssl")
def test_much_goes_both_ways_at_once_over_tls(tmp_path, server):
    make_certificate(tmp_path)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(tmp_path / "crt", tmp_path / "key")
    content = os.urandom(1 << 20) * 4
    with serving(server, context) as url:
        http = Http(Access(url, authority=(tmp_path / "crt").read_bytes()), {})
        server.programs.append(lambda handler: cat(Remote(handler)))
        session = Api(http, "default").execute("web-1", ["cat"], terminal=False)
        pipes = [os.pipe() for _ in range(3)]
        with Program(session, (pipes[0][0], pipes[1][1], pipes[2][1])) as program:
            for fd in (pipes[0][0], pipes[1][1], pipes[2][1]):
                os.close(fd)
            with os.fdopen(pipes[0][1], "wb", 0) as stdin, os.fdopen(pipes[1][0], "rb") as stdout:
                thread = threading.Thread(target=lambda: (stdin.write(content), stdin.close()))
                thread.start()
                assert stdout.read() == content
                thread.join()
            os.close(pipes[2][0])
            assert program.wait() == 7
        http.close()


def test_an_older_cluster_is_not_told_that_input_has_ended(begin):
    def remote(remote):
        for channel, data in remote.received():
            remote.send(1, b"%d" % channel + data)
            break
        remote.end()

    program, stdin, stdout, stderr = begin(remote, protocol=OLDER)
    stdin.write(b"x")
    stdin.close()
    assert (stdout.read(), program.wait()) == (b"0x", 0)
    for each in (stdout, stderr):
        each.close()


def test_a_terminal_has_a_size_and_keys(begin):
    heard = []

    def remote(remote):
        remote.ping(b"alive")
        for channel, data in remote.received():
            heard.append((channel, data))
            if channel == 0:
                remote.send(1, b"typed " + data)
            if len(heard) == 3:
                break
        remote.end()

    program = begin(remote, terminal=True)
    program.resize(40, 120)
    os.write(program.terminal, b"\3")
    assert os.read(program.terminal, 100) == b"typed \3"
    assert program.wait() == 0
    assert sorted(heard) == [(PONG, b"alive"), (0, b"\3"), (4, b'{"Width": 120, "Height": 40}')]
    assert not program.is_stopped


class Raw:
    """A session whose connection has the output as it is, and whose other end is ``far``."""

    first = b""

    def __init__(self) -> None:
        self.connection, self.far = socket.socketpair()

    def received(self, data):
        yield 1, data

    def rendered(self, data):
        return data

    def answers(self):
        return b""

    def ended(self):
        return None

    def resized(self, rows, columns):
        return b""

    def exit_code(self):
        return 0

    def close(self):
        self.connection.close()


def write_until_full(fd):
    os.set_blocking(fd, False)
    try:
        while True:
            os.write(fd, b"x" * 4096)
    except BlockingIOError:
        os.set_blocking(fd, True)


def test_keys_that_the_program_does_not_read_are_no_error_at_its_end():
    session = Raw()
    with Program(session, ()) as program, session.far:
        write_until_full(program.terminal)
        session.far.send(b"bye")
        session.far.shutdown(socket.SHUT_WR)
        assert [os.read(program.terminal, 100), os.read(program.terminal, 100)] == [b"bye", b""]
        assert program.wait() == 0


def test_a_program_may_end_without_reading_its_input():
    session = Raw()
    reading, writing = os.pipe()
    out, its_out = os.pipe()
    write_until_full(writing)
    with Program(session, (reading, its_out, its_out)) as program:
        assert session.far.recv(1)
        session.far.send(b"bye")
        session.far.close()
        assert os.read(out, 100) == b"bye"
        assert program.wait() == 0
    for fd in (reading, writing, out, its_out):
        os.close(fd)


def test_a_connection_that_breaks_is_no_end_of_the_program(begin):
    program, stdin, stdout, stderr = begin(lambda remote: remote.send(1, b"half"))
    assert stdout.read() == b"half"
    with pytest.raises(TemporaryError, match="broke off"):
        program.wait()
    for each in (stdin, stdout, stderr):
        each.close()


def test_a_program_that_cannot_be_run(begin):
    def remote(remote):
        remote.send(3, b'{"status": "Failure", "message": "no such file"}')

    program, *ends = begin(remote)
    with pytest.raises(UserError, match="no such file") as caught:
        program.wait()
    assert caught.value.exit_code == 126
    for each in ends:
        each.close()


def test_what_is_no_frame(begin):
    def remote(remote):
        remote._write(b"\xff" * 10)

    program, *ends = begin(remote)
    with pytest.raises(FatalError, match="no frame"):
        program.wait()
    for each in ends:
        each.close()


def test_closing_hangs_up(begin):
    ended = threading.Event()

    def remote(remote):
        for _ in remote.received():
            """Nothing comes."""
        ended.set()

    program, *ends = begin(remote)
    program.close()
    assert ended.wait(20)
    for each in ends:
        each.close()


def test_pieces_of_streams_may_come_in_any_size():
    data = b"\1\0\0\0\0\0\0\3out\2\0\0\0\0\0\0\3err"
    for size in (1, 5, 100):
        streams = Demultiplexer()
        pieces = [data[at : at + size] for at in range(0, len(data), size)]
        assert [found for piece in pieces for found in streams.feed(piece)] == [(1, b"out"), (2, b"err")]
