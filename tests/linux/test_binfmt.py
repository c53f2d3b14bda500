"""What the kernel tells of interpreters for other processors."""

from __future__ import annotations

import pytest

from orchestra.linux.binfmt import Interpreter, interpreters, parse_interpreter

ARM64 = """enabled
interpreter /usr/bin/qemu-aarch64-static
flags: OCF
offset 0
magic 7f454c460201010000000000000000000200b700
mask ffffffffffffff00fffffffffffffffffeffffff
"""
S390X = """enabled
interpreter /usr/bin/qemu-s390x
flags: OC
offset 0
magic 7f454c4602020100000000000000000000020016
mask ffffffffffffff00fffffffffffffffffffeffff
"""


def test_programs_of_other_processors():
    assert parse_interpreter(ARM64) == Interpreter("arm64", "/usr/bin/qemu-aarch64-static", True)
    assert parse_interpreter(S390X) == Interpreter("s390x", "/usr/bin/qemu-s390x", False)


@pytest.mark.parametrize(
    "text",
    [
        "",
        ARM64.replace("enabled", "disabled"),
        ARM64.replace("b700", "ffff"),
        "enabled\ninterpreter /usr/bin/python3\nflags: \noffset 0\nmagic a70d0d0a\n",
        "enabled\ninterpreter /usr/bin/java\nflags: \nextension .jar\n",
    ],
)
def test_others_are_left_out(text):
    assert parse_interpreter(text) is None


def test_a_machine_without_any(tmp_path):
    assert interpreters(f"{tmp_path}/missing") == []
    (tmp_path / "status").write_text("enabled\n")
    (tmp_path / "qemu-aarch64").write_text(ARM64)
    assert [one.architecture for one in interpreters(str(tmp_path))] == ["arm64"]
