"""What the steps of a scenario expect of a stack, now, within a time, and for a time."""

from __future__ import annotations

import re
import socket
import time
from typing import TYPE_CHECKING, Protocol

from orchestra.errors import OrchestraError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from orchestra.api.stack import RunningStack
    from orchestra.model.health import Health
    from orchestra.testing.scenario import Exec, Expect, Http, Step, Tcp

PATIENCE = 10.0
"""Seconds that an expectation has, unless the step says otherwise."""
PAUSE = 0.1
"""Seconds between two looks."""
SHOWN = 200
"""How many characters of an answer a failure shows."""


class NotSo(Exception):
    """Something is not as expected, in words."""


def check(stack: RunningStack, step: Step) -> None:
    """Raises NotSo if it is not so in time, or does not stay so."""
    deadline = time.monotonic() + (PATIENCE if step.within is None else step.within.seconds)
    while (reason := find_difference(stack, step)) and time.monotonic() < deadline:
        time.sleep(PAUSE)
    if reason:
        raise NotSo(reason)
    if step.during is None:
        return
    began = time.monotonic()
    while time.monotonic() < began + step.during.seconds:
        time.sleep(PAUSE)
        if reason := find_difference(stack, step):
            raise NotSo(f"{reason}, after {time.monotonic() - began:.1f} s")


def find_difference(stack: RunningStack, step: Step) -> str:
    """What is not as expected at this moment; empty if all is."""
    try:
        if step.expect is not None:
            return "; ".join(_differences(stack, step.expect))
        if step.exec is not None:
            return _after(stack, step.exec)
        if step.http is not None:
            return _answer(stack, step.http)
        assert step.tcp is not None
        return _connection(stack, step.tcp)
    except OrchestraError as error:
        return error.message


def _differences(stack: RunningStack, expect: Expect) -> Iterator[str]:
    yield from differences([row for row in stack.containers() if not row.one_off], expect)
    for service, pattern in expect.log.items():
        if not any(re.search(pattern, line.text) for line in stack.logs(service)):
            yield f"{service} has written no line with {pattern!r}"


class Row(Protocol):
    """What expectations are about."""

    @property
    def name(self) -> str: ...
    @property
    def service(self) -> str: ...
    @property
    def state(self) -> str: ...
    @property
    def runs(self) -> bool: ...
    @property
    def exit_code(self) -> int | None: ...
    @property
    def health(self) -> Health: ...


def differences(rows: Sequence[Row], expect: Expect) -> Iterator[str]:
    """What is not as expected of the containers, apart from their logs."""
    for service, count in expect.containers.items():
        found = sum(row.service == service for row in rows)
        if found != count:
            yield f"{service} has {found} containers, not {count}"
    for service, state in expect.state.items():
        yield from _lack(service, rows)
        yield from (f"{row.name} is {row.state}" for row in rows if row.service == service and row.state != state)
    for service, health in expect.health.items():
        yield from _lack(service, rows)
        for row in rows:
            if row.service == service and (not row.runs or row.health.status != health):
                yield f"{row.name} is {row.health.status if row.runs else row.state}"
    for service, code in expect.exit_code.items():
        yield from _lack(service, rows)
        for row in rows:
            if row.service == service and (row.state, row.exit_code) != ("exited", code):
                yield f"{row.name} is {row.state}" + (f" ({row.exit_code})" if row.state == "exited" else "")


def _lack(service: str, rows: Sequence[Row]) -> Iterator[str]:
    if not any(row.service == service for row in rows):
        yield f"{service} has no container"


def _after(stack: RunningStack, wanted: Exec) -> str:
    try:
        result = stack.exec(wanted.service, wanted.command, timeout=60.0)
    except TimeoutError as error:
        return str(error)
    if result.exit_code != wanted.exit_code:
        return f"exit code {result.exit_code}, not {wanted.exit_code}: {_shown(result.stderr or result.stdout)}"
    if not re.search(wanted.output, result.stdout):
        return f"its output has no {wanted.output!r}: {_shown(result.stdout)}"
    return ""


def _answer(stack: RunningStack, wanted: Http) -> str:
    from http.client import HTTPConnection, HTTPException

    address = stack.address(wanted.service, wanted.port)
    connection = HTTPConnection(address.host, address.port, timeout=5.0)
    try:
        connection.request("GET", wanted.path)
        answer = connection.getresponse()
        body = answer.read().decode(errors="replace")
    except (OSError, HTTPException) as error:
        return f"no answer from {address}: {error}"
    finally:
        connection.close()
    if answer.status != wanted.status:
        return f"status {answer.status}, not {wanted.status}"
    return "" if re.search(wanted.body, body) else f"the answer has no {wanted.body!r}: {_shown(body)}"


def _connection(stack: RunningStack, wanted: Tcp) -> str:
    address = stack.address(wanted.service, wanted.port)
    try:
        socket.create_connection(address, timeout=5.0).close()
    except OSError as error:
        return f"no connection to {address}: {error}" if wanted.open else ""
    return "" if wanted.open else f"{address} accepts connections"


def _shown(text: str) -> str:
    text = text.strip()
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}…"
