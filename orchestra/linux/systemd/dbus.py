"""The parts of D-Bus that are needed to call methods of a service and receive its signals (D-Bus specification 0.41).

Marshalling goes by signature, "Type System" and "Marshaling": values are int, bool, str, bytes for ``ay``, lists,
tuples for structs, and Variant. Little endian, no descriptors.
"""

from __future__ import annotations

import struct
from errno import EPROTO
from typing import Any

from orchestra.linux import unix_socket
from orchestra.linux.syscall import SystemCallError
from orchestra.named_tuple import NamedTuple

SYSTEM_BUS = "/run/dbus/system_bus_socket"
SECONDS = 90.0
"""Without a word: on a slow machine systemd takes long to read all units again, and answers no one meanwhile."""
CALL, RETURN, ERROR, SIGNAL = 1, 2, 3, 4
PATH, INTERFACE, MEMBER, ERROR_NAME, REPLY_SERIAL, DESTINATION, _SENDER, SIGNATURE = range(1, 9)  # header fields
NUMBERS = {"y": "<B", "n": "<h", "q": "<H", "i": "<i", "u": "<I", "x": "<q", "t": "<Q", "d": "<d", "b": "<I"}
ALIGNMENTS = {"s": 4, "o": 4, "g": 1, "v": 1, "a": 4, "(": 8, "{": 8}
MAX_MESSAGE = 1 << 27


class Variant(NamedTuple):
    signature: str
    value: Any


class Message(NamedTuple):
    kind: int
    fields: dict[int, Any]
    body: tuple[Any, ...]


class BusError(Exception):
    """name: such as org.freedesktop.systemd1.NoSuchUnit."""

    def __init__(self, name: str, text: str) -> None:
        super().__init__(f"{text} ({name})")
        self.name = name


def split(signature: str) -> list[str]:
    """The single complete types of a signature."""
    found = []
    while signature:
        length = _length(signature)
        found.append(signature[:length])
        signature = signature[length:]
    return found


def _length(signature: str) -> int:
    if signature[0] == "a":
        return 1 + _length(signature[1:])
    if signature[0] not in "({":
        return 1
    depth = 0
    for place, character in enumerate(signature):
        depth += (character in "({") - (character in ")}")
        if not depth:
            return place + 1
    raise ValueError(f"{signature}: a bracket is not closed")


def _alignment(kind: str) -> int:
    return ALIGNMENTS.get(kind[0]) or struct.calcsize(NUMBERS[kind[0]])


def marshal(signature: str, values: tuple[Any, ...] | list[Any], data: bytearray | None = None) -> bytearray:
    """Append to ``data``, whose length determines the padding."""
    data = bytearray() if data is None else data
    for kind, value in zip(split(signature), values, strict=True):
        _put(kind, value, data)
    return data


def _pad(data: bytearray, alignment: int) -> None:
    data += bytes(-len(data) % alignment)


def _put(kind: str, value: Any, data: bytearray) -> None:
    _pad(data, _alignment(kind))
    if kind in NUMBERS:
        data += struct.pack(NUMBERS[kind], value)
    elif kind in ("s", "o"):
        text = value.encode()
        data += struct.pack("<I", len(text)) + text + b"\0"
    elif kind == "g":
        data += bytes((len(value),)) + value.encode() + b"\0"
    elif kind == "v":
        _put("g", value.signature, data)
        _put(value.signature, value.value, data)
    elif kind[0] == "(":
        marshal(kind[1:-1], value, data)
    else:
        at = len(data)
        data += bytes(4)
        _pad(data, _alignment(kind[1:]))
        begin = len(data)
        for element in value:
            _put(kind[1:], element, data)
        struct.pack_into("<I", data, at, len(data) - begin)


class Reader:
    """Reads values from a message, front to back."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0

    def read(self, signature: str) -> tuple[Any, ...]:
        return tuple(self._take(kind) for kind in split(signature))

    def align(self, alignment: int) -> None:
        self.at += -self.at % alignment

    def _bytes(self, count: int) -> bytes:
        found = self.data[self.at : self.at + count]
        if len(found) < count:
            raise SystemCallError(EPROTO, "D-Bus", "", "a message ends too early")
        self.at += count
        return found

    def _take(self, kind: str) -> Any:
        self.align(_alignment(kind))
        if kind in NUMBERS:
            (number,) = struct.unpack(NUMBERS[kind], self._bytes(struct.calcsize(NUMBERS[kind])))
            return bool(number) if kind == "b" else number
        if kind in ("s", "o"):
            return self._bytes(self._take("u") + 1)[:-1].decode()
        if kind == "g":
            return self._bytes(self._take("y") + 1)[:-1].decode()
        if kind == "v":
            return self._take(self._take("g"))
        if kind[0] in "({":
            return self.read(kind[1:-1])
        length = self._take("u")
        self.align(_alignment(kind[1:]))
        end = self.at + length
        found = []
        while self.at < end:
            found.append(self._take(kind[1:]))
        return found


class Connection:
    """A connection to a bus, or directly to a service. For one thread. The caller closes it."""

    def __init__(self, path: str = SYSTEM_BUS, *, is_bus: bool = True) -> None:
        """FileNotFoundError or ConnectionRefusedError if no process listens at ``path``."""
        self._socket = unix_socket.connect(path)
        self._socket.settimeout(SECONDS)
        self._buffer = b""
        self._serial = 0
        self.signals: list[Message] = []
        self._authenticate()
        if is_bus:
            self.call("org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus", "Hello")

    def _authenticate(self) -> None:
        """As the user that the kernel reports for us ("Authentication Protocol", EXTERNAL).

        We give no number of our own: in a user namespace it would be another one than the other side sees.
        """
        self._socket.sendall(b"\0AUTH EXTERNAL\r\nDATA\r\n")
        for expected in (b"DATA", b"OK"):
            while b"\r\n" not in self._buffer:
                self._receive()
            line, _, self._buffer = self._buffer.partition(b"\r\n")
            if not line.startswith(expected):
                raise SystemCallError(EPROTO, "D-Bus", "", f"refused: {line.decode(errors='replace')}")
        self._socket.sendall(b"BEGIN\r\n")

    def _receive(self) -> None:
        data = self._socket.recv(65536)
        if not data:
            raise ConnectionResetError("the bus has closed the connection")
        self._buffer += data

    def call(
        self, service: str, path: str, interface: str, member: str, signature: str = "", *values: Any
    ) -> tuple[Any, ...]:
        """What it answers. Raises BusError when that is an error. Signals that come meanwhile are kept."""
        self._serial += 1
        fields = [(PATH, Variant("o", path)), (INTERFACE, Variant("s", interface)), (MEMBER, Variant("s", member))]
        fields.append((DESTINATION, Variant("s", service)))
        if signature:
            fields.append((SIGNATURE, Variant("g", signature)))
        body = marshal(signature, values)
        head = marshal("yyyyuua(yv)", (ord("l"), CALL, 0, 1, len(body), self._serial, fields))
        _pad(head, 8)
        self._socket.sendall(head + body)
        while True:
            message = self._next()
            if message.kind == SIGNAL:
                self.signals.append(message)
            elif message.fields.get(REPLY_SERIAL) == self._serial:
                if message.kind == ERROR:
                    raise BusError(message.fields[ERROR_NAME], str(message.body[0] if message.body else member))
                return message.body

    def next_signal(self) -> Message:
        """The oldest signal that has not been taken, or the next to come. TimeoutError if none comes for long."""
        while not self.signals:
            message = self._next()
            if message.kind == SIGNAL:
                self.signals.append(message)
        return self.signals.pop(0)

    def _next(self) -> Message:
        while len(self._buffer) < 16:
            self._receive()
        length, _serial, fields_length = struct.unpack_from("<III", self._buffer, 4)
        body_at = 16 + fields_length + -fields_length % 8
        if self._buffer[:1] != b"l" or body_at + length > MAX_MESSAGE:
            raise SystemCallError(EPROTO, "D-Bus", "", "a message that is not understood")
        while len(self._buffer) < body_at + length:
            self._receive()
        reader = Reader(self._buffer[: body_at + length])
        self._buffer = self._buffer[body_at + length :]
        _order, kind, _flags, _version, _length, _serial, rows = reader.read("yyyyuua(yv)")
        fields = dict(rows)
        reader.align(8)
        return Message(kind, fields, reader.read(fields.get(SIGNATURE, "")))

    def close(self) -> None:
        self._socket.close()

    def __enter__(self) -> Connection:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()
