"""The exit codes that the documentation gives for a list of commands, beside those of Docker Compose, are true."""

from __future__ import annotations

import sys

import pytest

from tests.examples.conftest import needs_containers
from tools.beside import PAGE, read_page, run

pytestmark = [*needs_containers, pytest.mark.timeout(240)]


def test_every_row_of_the_page(write_stack):
    text, rows = read_page(PAGE.read_text())
    stack = write_stack(text.replace("busybox:1.37", "rootfs:BUSYBOX"), name="beside")
    program = [sys.executable, "-m", "orchestra"]
    wrong = []
    for row in rows:
        code, said = run(program, row, stack.folder, stack.environment)
        if code != row.own:
            wrong.append(f"{row.command}: {code}, not {row.own}\n{said}")
    assert not wrong, "\n".join(wrong)
    assert len(rows) > 90
    assert all(row.reason for row in rows if row.docker != row.own)
