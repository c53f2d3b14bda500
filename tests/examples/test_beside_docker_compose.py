"""The exit codes that the documentation gives for a list of commands, beside those of Docker Compose, are true."""

from __future__ import annotations

import shlex

import pytest

from tests import warm
from tests.examples.conftest import needs_containers
from tools.beside import PAGE, SECONDS, read_page

pytestmark = [*needs_containers, pytest.mark.timeout(240)]


def test_every_row_of_the_page(write_stack):
    text, rows = read_page(PAGE.read_text())
    stack = write_stack(text.replace("busybox:1.37", "rootfs:BUSYBOX"), name="beside")
    wrong = []
    for row in rows:
        done = warm.run(shlex.split(row.command), env=stack.environment, cwd=stack.folder, timeout=SECONDS)
        if done.returncode != row.own:
            wrong.append(f"{row.command}: {done.returncode}, not {row.own}\n{done.stdout}{done.stderr}")
    assert not wrong, "\n".join(wrong)
    assert len(rows) > 90
    assert all(row.reason for row in rows if row.docker != row.own)
