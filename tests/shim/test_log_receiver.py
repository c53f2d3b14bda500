"""Sending log lines, to real sockets."""

from __future__ import annotations

import selectors
import socket
import ssl
import struct
import threading

import pytest

from orchestra.container.settings import Receiver, Tls
from orchestra.shim import log_receiver
from orchestra.shim.log_messages import PIECE, Lines
from orchestra.shim.log_receiver import LogReceiver
from tests.driver.local.image.registry.real import OPENSSL, make_certificate


@pytest.fixture
def told(monkeypatch):
    texts: list[str] = []
    monkeypatch.setattr("orchestra.shim.stack_log.write", texts.append)
    return texts


@pytest.fixture
def selector():
    with selectors.DefaultSelector() as selector:
        yield selector


def turn(selector, seconds=0.0):
    for key, _events in selector.select(seconds):
        key.data()


def datagrams(path):
    receiver = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    receiver.bind(str(path))
    receiver.settimeout(10)
    return receiver


def test_output_is_cut_into_lines_and_pieces():
    lines = Lines()
    assert lines.feed(1, b"one\n\ntw") == [b"one", b""]
    assert lines.feed(2, b"other\n") == [b"other"]
    assert lines.feed(1, b"o\n" + b"x" * (PIECE + 1)) == [b"two", b"x" * PIECE]
    assert lines.feed(1, b"y") == []
    assert lines.finish() == [(1, b"xy")]
    assert lines.finish() == []


def test_syslog_of_this_machine_gets_a_datagram_for_each_line(tmp_path, selector, told):
    with datagrams(tmp_path / "log") as syslog:
        sender = LogReceiver(selector, "web", Receiver("syslog", f"unix://{tmp_path}/log", "web/1", facility=16))
        sender.take(1, b"one\ntwo")
        sender.take(2, b"wrong\n")
        sender.close()
        got = [syslog.recv(4096) for _ in range(3)]
    assert [(text[:5], text.rpartition(b": ")[2]) for text in got] == [
        (b"<134>", b"one\n"),
        (b"<131>", b"wrong\n"),
        (b"<134>", b"two\n"),
    ]
    assert all(b" web/1[" in text for text in got)
    assert told == []


@pytest.mark.parametrize(
    ("form", "pattern"), [("rfc5424", r"1 \S+Z \S+ t \d+ t - a"), ("rfc3164", r"\w{3} [ \d]\d \S+ \S+ t\[\d+\]: a")]
)
def test_formats_of_syslog(form, pattern, selector):
    import re

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as syslog:
        syslog.bind(("127.0.0.1", 0))
        syslog.settimeout(10)
        address = f"udp://127.0.0.1:{syslog.getsockname()[1]}"
        sender = LogReceiver(selector, "web", Receiver("syslog", address, "t", format=form))
        sender.take(1, b"a\n")
        assert re.fullmatch(rf"<30>{pattern}\n", syslog.recv(4096).decode())
        sender.close()


def test_the_journal_gets_fields(tmp_path, selector):
    with datagrams(tmp_path / "socket") as journal:
        receiver = Receiver("journald", f"unix://{tmp_path}/socket", "t", fields={"CONTAINER_NAME": "web"})
        sender = LogReceiver(selector, "web", receiver)
        sender.take(2, b"a=b\r\n")
        sender.close()
        entry = journal.recv(4096)
    found = {}
    while entry:
        name, _, rest = entry.partition(b"\n")
        (length,) = struct.unpack("<Q", rest[:8])
        found[name.decode()], entry = rest[8 : 8 + length], rest[9 + length :]
    assert found.pop("SYSLOG_TIMESTAMP")
    assert found == {
        "CONTAINER_NAME": b"web",
        "CONTAINER_TAG": b"t",
        "SYSLOG_IDENTIFIER": b"t",
        "PRIORITY": b"3",
        "MESSAGE": b"a=b\r",
    }


def test_a_receiver_that_does_not_read_costs_lines_and_no_time(tmp_path, selector, told):
    with datagrams(tmp_path / "log") as syslog:
        sender = LogReceiver(selector, "web", Receiver("syslog", f"unix://{tmp_path}/log", "t"))
        sender.take(1, b"".join(b"%d\n" % number for number in range(10_000)))
        assert "lines do not reach the log receiver" in told[0]
        syslog.setblocking(False)
        got = []
        while True:
            try:
                got.append(syslog.recv(4096))
            except BlockingIOError:
                break
        syslog.setblocking(True)
        sender.take(1, b"last\n")
        apology, last = syslog.recv(4096), syslog.recv(4096)
        sender.close()
    lost = 10_000 - len(got)
    assert f"{lost} lines of the log were lost before this one".encode() in apology
    assert last.endswith(b": last\n")
    assert told[1:] == [f"web: the log receiver is back; it missed {lost} lines"]


def test_a_stream_that_stands_still_holds_no_more_than_its_buffer(selector, told):
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"tcp://127.0.0.1:{server.getsockname()[1]}"
        sender = LogReceiver(selector, "web", Receiver("syslog", address, "t", buffer=4096))
        connection, _ = server.accept()
        turn(selector, 10)
        sender.take(1, b"".join(b"%07d%01000d\n" % (number, 0) for number in range(20_000)))
        assert sender._size <= 4096
        assert sender._lost
        sender.close()
        data = b""
        while block := connection.recv(1 << 20):
            data += block
        connection.close()
    kept = [line for line in data.split(b"\n") if line]
    assert b": 0000000000" in kept[0]
    assert told[-1].startswith("web: the log receiver missed ")


def test_a_connection_that_breaks_is_begun_again(selector, told, monkeypatch):
    monkeypatch.setattr(log_receiver, "AGAIN", 0.0)
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"tcp://127.0.0.1:{server.getsockname()[1]}"
        sender = LogReceiver(selector, "web", Receiver("syslog", address, "t"))
        server.accept()[0].close()
        turn(selector, 10)
        assert sender._socket is None
        sender.take(1, b"after\n")
        connection, _ = server.accept()
        turn(selector, 10)
        with connection:
            assert connection.recv(4096).endswith(b": after\n")
        sender.close()
    assert told == []


def test_nobody_listens(selector, told):
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"tcp://127.0.0.1:{server.getsockname()[1]}"
    sender = LogReceiver(selector, "web", Receiver("syslog", address, "t"))
    turn(selector, 10)
    sender.take(1, b"a\nb\n")
    sender.close()
    assert told == [
        f"web: lines do not reach the log receiver {address}: Connection refused",
        "web: the log receiver missed 2 lines: Connection refused",
    ]


@pytest.fixture
def secure_server(tmp_path):
    """The port of a receiver with TLS for one connection, and what it has received once that is closed."""
    if not OPENSSL:
        pytest.skip("needs openssl")
    make_certificate(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "crt", tmp_path / "key")
    received: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            connection, _ = server.accept()
            try:
                with context.wrap_socket(connection, server_side=True) as secured:
                    while block := secured.recv(1 << 16):
                        received.append(block)
            except OSError:
                connection.close()

        thread = threading.Thread(target=serve)
        thread.start()

        def finish() -> bytes:
            thread.join(10)
            return b"".join(received)

        yield server.getsockname()[1], finish
        with socket.socket() as last:
            last.connect_ex(server.getsockname())  # ends the thread of a test that has failed
        thread.join(10)


@pytest.mark.parametrize("verify", [True, False])
def test_a_receiver_with_tls_gets_everything_even_of_a_short_run(tmp_path, selector, told, secure_server, verify):
    port, finish = secure_server
    tls = Tls("localhost", f"{tmp_path}/crt") if verify else Tls("elsewhere", verify=False)
    sender = LogReceiver(selector, "web", Receiver("syslog", f"tcp://127.0.0.1:{port}", "t", tls=tls))
    turn(selector, 10)  # the connection is made, and the handshake begins
    sender.take(1, b"".join(b"%05d\n" % number for number in range(2000)))
    sender.close()
    lines = finish().splitlines()
    assert (len(lines), lines[0][-5:], lines[-1][-5:]) == (2000, b"00000", b"01999")
    assert told == []


def test_a_receiver_that_cannot_be_trusted_gets_nothing(selector, told, secure_server):
    port, finish = secure_server
    sender = LogReceiver(selector, "web", Receiver("syslog", f"tcp://127.0.0.1:{port}", "t", tls=Tls("localhost")))
    while sender._socket is not None:
        turn(selector, 10)
    sender.take(1, b"secret\n")
    sender.close()
    assert finish() == b""
    assert "TLS: self-signed certificate" in told[0] or "TLS: self signed certificate" in told[0]
