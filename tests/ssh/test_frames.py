"""What passes through a connection arrives as it was sent, however it was cut on the way."""

from __future__ import annotations

import os

import pytest

from orchestra.ssh.frames import INPUT, MOST, OUTPUT, PROTOCOL, Frame, Garbled, Outbox, Parser, render_greeting
from orchestra.ssh.order import Order, decode, encode


def _sent(*frames: Frame) -> bytes:
    reading, writing = os.pipe()
    box = Outbox(writing)
    for frame in frames:
        box.send(*frame)
    assert box.write()
    os.close(writing)
    with os.fdopen(reading, "rb") as file:
        return file.read()


@pytest.mark.parametrize("step", [1, 2, 7, 1000])
def test_frames_in_pieces(step):
    frames = [Frame(OUTPUT, 1, b"out\n"), Frame(INPUT, 0, b""), Frame(OUTPUT, 2, bytes(range(256)))]
    data = b"Last login: today\r\n" + render_greeting("1.2") + _sent(*frames)
    parser, found, greeting = Parser(), [], None
    for position in range(0, len(data), step):
        parser.feed(data[position : position + step])
        greeting = greeting or parser.greeting()
        found += parser.frames() if greeting else []
    assert greeting == (PROTOCOL, "1.2")
    assert found == frames


def test_an_outbox_keeps_what_does_not_fit():
    reading, writing = os.pipe()
    box, content = Outbox(writing), os.urandom(300_000)
    box.put(content)
    read = b""
    while len(read) < len(content):
        box.write()
        read += os.read(reading, 1 << 20)
    assert read == content
    assert not len(box)
    os.close(reading)
    box.put(b"more")
    with pytest.raises(BrokenPipeError):
        box.write()
    os.close(writing)


@pytest.mark.parametrize("data", [b"o" + (MOST + 1).to_bytes(8, "big"), b"hello, this is a shell"])
def test_what_is_no_frame(data):
    parser = Parser()
    parser.feed(data)
    with pytest.raises(Garbled):
        parser.frames()


def test_no_greeting_in_what_a_shell_says():
    parser = Parser()
    parser.feed(b"x" * 100_000)
    with pytest.raises(Garbled):
        parser.greeting()


def test_an_order_is_sent_whole_and_shows_no_secrets():
    order = Order(
        words=("up", "-d"),
        directory="/home/me",
        files={"/home/me/compose.yaml": b"\xff\0 name: x", "/home/me/.env": None},
        variables={"TOKEN": "s3cret"},
        terminals=(0, 1),
        rows=24,
        columns=80,
    )
    assert decode(encode(order)) == order
    assert "s3cret" not in repr(order)
