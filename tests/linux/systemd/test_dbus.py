"""Messages of D-Bus as bytes, a conversation over a socket, and what systemd is told."""

from __future__ import annotations

import socket
import threading

import pytest

from orchestra.linux.syscall import SystemCallError
from orchestra.linux.systemd.annotations import annotated_properties
from orchestra.linux.systemd.dbus import BusError, Connection, Reader, Variant, marshal, split
from orchestra.linux.systemd.properties import parse_set, resource_properties
from orchestra.linux.systemd.scope import Scope, expand_slice

VALUES = [
    ("y", 7, "07"),
    ("u", 1, "01000000"),
    ("t", 1 << 40, "0000000000010000"),
    ("b", True, "01000000"),
    ("s", "ab", "02000000 616200"),
    ("g", "as", "02 617300"),
    ("v", Variant("u", 5), "01 7500 00 05000000"),
    ("ay", [1, 2], "02000000 0102"),
    ("au", [], "00000000"),
    ("at", [1], "08000000 00000000 0100000000000000"),
    ("(su)", ("a", 3), "01000000 6100 0000 03000000"),
    ("a(sv)", [("A", Variant("b", True))], "10000000 00000000 01000000 4100 01 6200 000000 01000000"),
]


@pytest.mark.parametrize(("signature", "value", "data"), VALUES)
def test_values_become_bytes_and_come_back(signature, value, data):
    made = marshal(signature, [value])
    assert made == bytes.fromhex(data.replace(" ", ""))
    (again,) = Reader(bytes(made)).read(signature)
    plain = value.value if isinstance(value, Variant) else value
    assert again == ([("A", True)] if signature == "a(sv)" else plain)


def test_a_signature_has_complete_types():
    assert split("ssa(sv)a(sa(sv))u") == ["s", "s", "a(sv)", "a(sa(sv))", "u"]
    with pytest.raises(ValueError, match="bracket"):
        split("(su")


def test_a_message_that_ends_too_early_is_said():
    with pytest.raises(OSError, match="too early"):
        Reader(b"\5\0\0\0ab").read("s")


def message(kind, serial, fields, signature="", *values):
    body = marshal(signature, values)
    rows = [*fields, (8, Variant("g", signature))] if signature else fields
    head = marshal("yyyyuua(yv)", (ord("l"), kind, 0, 1, len(body), serial, rows))
    head += bytes(-len(head) % 8)
    return bytes(head + body)


def serve(listener, answers):
    connection, _address = listener.accept()
    with connection:
        assert connection.recv(4096) == b"\0AUTH EXTERNAL\r\nDATA\r\n"
        connection.sendall(b"DATA\r\nOK 0123\r\n")
        assert connection.recv(7, socket.MSG_WAITALL) == b"BEGIN\r\n"
        for answer in answers:
            connection.recv(4096)
            connection.sendall(answer)


def test_a_call_is_answered_between_signals(tmp_path):
    path = str(tmp_path / "bus")
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen()
    signal = message(4, 1, [(3, Variant("s", "JobRemoved"))], "uo", 9, "/job")
    fine = message(2, 2, [(5, Variant("u", 1))], "s", "well")
    wrong = message(3, 3, [(4, Variant("s", "org.example.Wrong")), (5, Variant("u", 2))], "s", "it is not")
    server = threading.Thread(target=serve, args=(listener, [signal + fine, wrong]))
    server.start()
    try:
        with Connection(path, is_bus=False) as bus:
            assert bus.call("a.b", "/", "a.b", "Do", "s", "it") == ("well",)
            with pytest.raises(BusError, match="it is not") as refused:
                bus.call("a.b", "/", "a.b", "Do")
            assert refused.value.name == "org.example.Wrong"
            assert bus.next_signal().body == (9, "/job")
    finally:
        server.join()
        listener.close()


MIB = 1 << 20
PROPERTIES = [
    ({}, {}, {}),
    ({"memory": {"limit": 64 * MIB}}, {"MemoryLimit": 64 * MIB}, {"MemoryMax": 64 * MIB}),
    ({"memory": {"limit": -1}}, {"MemoryLimit": (1 << 64) - 1}, {"MemoryMax": (1 << 64) - 1}),
    (
        {"memory": {"limit": 4, "swap": 6, "reservation": 2}},
        {"MemoryLimit": 4},
        {"MemoryMax": 4, "MemorySwapMax": 2, "MemoryLow": 2},
    ),
    ({"cpu": {"shares": 1024}}, {"CPUShares": 1024}, {"CPUWeight": 39}),
    ({"cpu": {"quota": 50_000, "period": 200_000}},)
    + ({"CPUQuotaPeriodUSec": 200_000, "CPUQuotaPerSecUSec": 250_000},) * 2,
    ({"cpu": {"quota": -1}},) + ({"CPUQuotaPerSecUSec": (1 << 64) - 1},) * 2,
    ({"cpu": {"quota": 12_345}},) + ({"CPUQuotaPerSecUSec": 130_000},) * 2,
    ({"cpu": {"cpus": "0-1"}}, {}, {"AllowedCPUs": b"\3"}),
    ({"pids": {"limit": 9}},) + ({"TasksMax": 9},) * 2,
    ({"blockIO": {"weight": 10}}, {"BlockIOWeight": 10}, {"IOWeight": 1}),
]


@pytest.mark.parametrize(("resources", "first", "second"), PROPERTIES)
def test_resources_in_the_words_of_systemd(resources, first, second):
    for version, expected in ((1, first), (2, second)):
        found = resource_properties(resources, version)
        assert {name: variant.value for name, variant in found} == expected
        marshal("a(sv)", [found])


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("CollectMode", "'inactive-or-failed'", ("CollectMode", Variant("s", "inactive-or-failed"))),
        ("KillSignal", "37", ("KillSignal", Variant("i", 37))),
        ("SendSIGHUP", "true", ("SendSIGHUP", Variant("b", True))),
        ("TimeoutStopUSec", "uint64 90000000", ("TimeoutStopUSec", Variant("t", 90_000_000))),
        ("TimeoutStopSec", "1.5", ("TimeoutStopUSec", Variant("t", 1_500_000))),
        ("After", "['a.service', \"b.service\"]", ("After", Variant("as", ["a.service", "b.service"]))),
        ("After", "[]", ("After", Variant("as", []))),
    ],
)
def test_annotations_are_properties_of_a_scope(name, text, told):
    annotations = {"org.example": "word", f"org.systemd.property.{name}": text}
    (found,) = annotated_properties(annotations)
    assert found == told
    assert marshal("(sv)", [found])


@pytest.mark.parametrize(
    ("name", "text"),
    [("Description", "words"), ("A", "'a'b'"), ("A", "uint64 x"), ("AB-C", "1"), ("TimeoutSec", "'x'")],
)
def test_an_annotation_that_is_no_property_is_refused(name, text):
    with pytest.raises(SystemCallError) as caught:
        annotated_properties({f"org.systemd.property.{name}": text})
    assert caught.value.filename == f"org.systemd.property.{name}"


@pytest.mark.parametrize(("text", "bits"), [("0", b"\1"), ("0-2,4", b"\x17"), ("8", b"\0\1")])
def test_a_set_of_processors_is_bits(text, bits):
    assert parse_set(text) == bits


@pytest.mark.parametrize(
    ("name", "path"), [("a.slice", "/a.slice"), ("a-b.slice", "/a.slice/a-b.slice"), ("-.slice", "")]
)
def test_slices_are_below_one_another(name, path):
    assert expand_slice(name) == path


@pytest.mark.parametrize("name", ["a", "a--b.slice", "a/b.slice", ".slice"])
def test_what_is_no_slice_is_refused(name):
    with pytest.raises(OSError, match="slice"):
        expand_slice(name)


def test_a_scope_has_a_name_and_a_place():
    scope = Scope("machine.slice:libpod:abc", 2)
    assert (scope.unit, scope.path) == ("libpod-abc.scope", "/machine.slice/libpod-abc.scope")
    assert Scope("::abc", 2).path == "/system.slice/abc.scope"
    with pytest.raises(OSError, match="SLICE:PREFIX:NAME"):
        Scope("machine.slice:libpod:", 2)
