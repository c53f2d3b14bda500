"""The table in docs/reference/exit-codes.md: what `up`, `up -d` and `up --wait` return. One test a row."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import NamedTuple

import pytest

TIMES = int(os.environ.get("ORCHESTRA_TIMES", "1"))
"""How often each row is run: `ORCHESTRA_TIMES=20`, with another program busy, shows that no row depends on chance."""

pytestmark = [
    pytest.mark.scenario,
    pytest.mark.root,
    pytest.mark.skipif(os.geteuid() != 0, reason="containers need root"),
    pytest.mark.timeout(120 + 60 * TIMES),
]

DOCS = Path(__file__).parent.parent.parent / "docs" / "reference" / "exit-codes.md"


def container(command: str, **keys: str) -> str:
    more = "".join(f", {key}: {value}" for key, value in keys.items())
    return f'{{image: "rootfs:/", init: true, stop_signal: SIGKILL, command: {command}{more}}}'


RUNS = "[sleep, '1000']"
HEALTHY = '{test: "true", interval: 1s}'
UNHEALTHY = "{test: 'echo database is down >&2; exit 1', interval: 0.3s, retries: 2}"
NEVER = '{test: "false", interval: 1s, start_period: 1h}'
SECOND_TIME = "[sh, -c, 'test -e /again && exec sleep 1000; touch /again; exit 7']"


def exits(code: int, seconds: float = 0) -> str:
    return f"[sh, -c, 'sleep {seconds}; exit {code}']" if seconds else f"[sh, -c, 'exit {code}']"


class Row(NamedTuple):
    """One row of the table. services: the file. The codes of `up -d`, `up --wait` and `up` in the foreground, None
    where it does not end by itself; error: what `--wait` (else `-d`) says; options: of `--wait`.
    """

    services: dict[str, str]
    detached: int
    waited: int
    attached: int | None
    error: str = ""
    options: tuple[str, ...] = ()


TIMEOUT = ("--wait-timeout", "2")
ROWS = {
    "keeps running": Row({"a": container(RUNS)}, 0, 0, None),
    "becomes healthy": Row({"a": container(RUNS, healthcheck=HEALTHY)}, 0, 0, None),
    "becomes unhealthy": Row(
        {"a": container(RUNS, healthcheck=UNHEALTHY)}, 0, 1, None, "container stack-a-1 is unhealthy"
    ),
    "becomes unhealthy, and another service needs it healthy": Row(
        {
            "a": container(RUNS, healthcheck=UNHEALTHY),
            "b": container(RUNS, depends_on="{a: {condition: service_healthy}}"),
        },
        1,
        1,
        1,
        "dependency failed to start: container stack-a-1 is unhealthy",
    ),
    "exits 0 at once": Row({"a": container(exits(0))}, 0, 0, 0),
    "exits 7 at once": Row({"a": container(exits(7))}, 0, 1, 0, "container stack-a-1 exited (7)"),
    "exits 0 later": Row({"a": container(exits(0, 2))}, 0, 0, 0),
    "exits 7 later": Row({"a": container(exits(7, 2))}, 0, 0, 0),
    "exits 7 while `--wait` waits for another": Row(
        {"a": container(exits(7, 1)), "b": container(RUNS, healthcheck='{test: "sleep 2", interval: 1s, timeout: 9s}')},
        0,
        1,
        None,
        "container stack-a-1 exited (7)",
    ),
    "exits 0, and another service needs it completed": Row(
        {
            "a": container(exits(0, 1)),
            "b": container(exits(0), depends_on="{a: {condition: service_completed_successfully}}"),
        },
        0,
        0,
        0,
    ),
    "exits 7, and another service needs it completed": Row(
        {
            "a": container(exits(7, 1)),
            "b": container(RUNS, depends_on="{a: {condition: service_completed_successfully}}"),
        },
        1,
        1,
        1,
        'service "a" didn\'t complete successfully: exit 7',
    ),
    "exits 7 and is restarted, then keeps running": Row({"a": container(SECOND_TIME, restart="always")}, 0, 0, None),
    "exits 7 every time, `restart: always`": Row(
        {"a": container(exits(7), restart="always")},
        0,
        1,
        None,
        "application not healthy after 2s: waiting for stack-a-1",
        TIMEOUT,
    ),
    "exits 7 every time, `restart: on-failure:2`": Row(
        {"a": container(exits(7), restart='"on-failure:2"')}, 0, 1, 0, "container stack-a-1 exited (7)"
    ),
    "is never healthy nor unhealthy": Row(
        {"a": container(RUNS, healthcheck=NEVER)}, 0, 1, None, "application not healthy after 2s", TIMEOUT
    ),
    "cannot be started": Row({"a": container("nosuchprogram", restart="always")}, 1, 1, 1, "nosuchprogram"),
    "several of these: one healthy, one exits 0, one exits 7 at once, one never ready": Row(
        {
            "a": container(RUNS, healthcheck=HEALTHY),
            "b": container(exits(0)),
            "c": container(exits(7)),
            "d": container(RUNS, healthcheck=NEVER),
        },
        0,
        1,
        None,
        "container stack-c-1 exited (7)",
    ),
}


@pytest.mark.parametrize("name", ROWS)
def test_row(write_stack, name):
    row = ROWS[name]
    text = "services:\n" + "".join(f"  {service}: {text}\n" for service, text in row.services.items())
    stack = write_stack(text)
    for _ in range(TIMES):
        done = stack.run("up", "-d", code=row.detached)
        assert not row.detached or row.error in done.stderr
        stack.run("down", "-t", "0")
        done = stack.run("up", "--wait", *row.options, code=row.waited)
        assert row.error in done.stderr
        assert set(stack.containers()) == set(row.services), "a failed up takes nothing back"
        stack.run("down", "-t", "0")
        if row.attached is not None:
            stack.run("up", code=row.attached)
            stack.run("down", "-t", "0")


def test_all_failures_of_one_moment_are_reported_in_the_order_of_the_file(write_stack):
    stack = write_stack(
        f"services:\n  c: {container(exits(3))}\n  b: {container('typo')}\n  a: {container(exits(1))}\n"
    )
    for _ in range(TIMES):
        done = stack.run("up", "--wait", code=1)
        assert re.findall(r"compose\.yaml:(\d):3: ", done.stderr) == ["2", "3", "4"]
        stack.run("down", "-t", "0")


def test_the_documentation_has_these_rows():
    text = DOCS.read_text()
    for name, row in ROWS.items():
        attached = "" if row.attached is None else str(row.attached)
        (line,) = [line for line in text.splitlines() if line.startswith(f"| {name} |")]
        codes = [re.match(r"\d*", cell.strip())[0] for cell in line.split("|")[2:5]]
        assert codes == [str(row.detached), str(row.waited), attached], name
