"""The table of stacks and services, a line of text each, as wide as the terminal. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.text import Text

from orchestra.model.health import HealthStatus
from orchestra.record import Record
from orchestra.stacks.overview import DOWN
from orchestra.tui.words import describe_bytes, describe_share, fit, spark
from orchestra.visible import visible

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from orchestra.stacks.overview import Overview, ServiceView, StackView
    from orchestra.tui.usage_history import Plots

GOOD, BAD, WAITS, FAINT, TITLE = "green", "red", "yellow", "dim", "bold"
HEALTH_STYLES = {HealthStatus.HEALTHY: GOOD, HealthStatus.UNHEALTHY: BAD, HealthStatus.STARTING: WAITS}
STATE_STYLES = {"running": GOOD, "restarting": BAD, "waiting": WAITS, "paused": WAITS, DOWN: FAINT}
GAP = 2
MEMORY_FLOOR = float(1 << 20)
PROCESSOR_FLOOR = 10.0
"""What the highest bar of a plot stands for at least: a tenth of a processor."""


class Line(Record):
    """A stack, or a service of it if ``service`` is not empty."""

    stack: str
    service: str = ""


class Column(Record):
    title: str
    width: int
    right: bool = False


OPTIONAL = (
    Column("STATE", 12),
    Column("HEALTH", 9),
    Column("CPU %", 5, right=True),
    Column("MEM", 5, right=True),
    Column("PORTS", 11),
    Column("CPU 10s", 10),
    Column("MEM 10s", 10),
)
"""Beside the name, in the order in which they find room."""
ORDER = ("SERVICE", "STATE", "HEALTH", "CPU %", "CPU 10s", "MEM", "MEM 10s", "PORTS")


def arrange(overview: Overview, folded: Iterable[str], wanted: str) -> list[Line]:
    """wanted: part of the names of services to show; empty for all. folded: stacks whose services are not shown."""
    hidden, lines = frozenset(folded), []
    for stack in overview.stacks:
        lines.append(Line(stack.name))
        if stack.name not in hidden or wanted:
            lines += [Line(stack.name, each.name) for each in stack.services if wanted.lower() in each.name.lower()]
    return lines


def columns_for(width: int, names: Iterable[str]) -> tuple[Column, ...]:
    """The columns that fit, in the order in which they are shown: ports take what is left, then names."""
    longest = max((len(name) for name in names), default=0)
    name = min(width, max(10, min(24 if width < 100 else 40, longest)))
    room = width - name
    chosen = {"SERVICE": Column("SERVICE", name)}
    for column in OPTIONAL:
        if column.width + GAP > room:
            break
        chosen[column.title] = column
        room -= column.width + GAP
    if "PORTS" in chosen:
        chosen["PORTS"] = Column("PORTS", OPTIONAL[4].width + room)
    return tuple(chosen[title] for title in ORDER if title in chosen)


def header(columns: Sequence[Column]) -> Text:
    return Text((" " * GAP).join(_cell(each.title, each) for each in columns), TITLE)


def stack_line(stack: StackView, *, folded: bool, width: int) -> Text:
    wanted = sum(each.wanted for each in stack.services)
    running = sum(each.running for each in stack.services)
    line = Text.assemble((f"{'▸' if folded else '▾'} {visible(stack.name)}", TITLE))
    line.append(f"  {running} of {wanted} running" if wanted or running else f"  {DOWN}", FAINT)
    if stack.damage:
        line.append(f"  {visible(stack.damage[0])}", BAD)
    line.truncate(width, overflow="ellipsis")
    return line


def service_line(service: ServiceView, waits: str, plots: Plots, columns: Sequence[Column]) -> Text:
    """waits: what it waits for, in words, or empty."""
    state, style = describe_state(service, waits)
    health = service.health
    measured = any(each.usage for each in service.containers)
    cells = {
        "SERVICE": (f"  {visible(service.name)}", "" if service.is_declared else "italic"),
        "STATE": (state, style),
        "HEALTH": ("" if health is HealthStatus.NONE else str(health), HEALTH_STYLES.get(health, "")),
        "CPU %": (describe_share(service.processor) if measured else "", ""),
        "MEM": (describe_bytes(service.memory) if measured else "", ""),
        "CPU 10s": (spark(plots.processor, 10, PROCESSOR_FLOOR), "cyan"),
        "MEM 10s": (spark(plots.memory, 10, MEMORY_FLOOR), "magenta"),
        "PORTS": (", ".join(map(short_port, service.ports)), ""),
    }
    line = Text()
    for number, column in enumerate(columns):
        text, style = cells[column.title]
        line.append(" " * GAP if number else "")
        line.append(_cell(text, column), style)
    return line


def describe_state(service: ServiceView, waits: str) -> tuple[str, str]:
    """``running 2/3``, ``exited (1)``; and its style."""
    state = service.state
    if waits and not service.running:
        return "waiting", STATE_STYLES["waiting"]
    if state == "exited":
        ended = [each.row for each in service.containers if each.row.state == "exited"]
        code = next((each.exit_code for each in ended if each.exit_code), 0 if ended[0].exit_code == 0 else None)
        return (f"exited ({code})" if code is not None else "exited"), BAD if code else FAINT
    error = any(each.row.error for each in service.containers)
    style = BAD if error else STATE_STYLES.get(state, "")
    wanted = max(service.wanted, service.running)
    return (f"{state} {service.running}/{wanted}" if wanted > 1 else state), style


def short_port(port: str) -> str:
    """``8080→80`` for ``0.0.0.0:8080->80/tcp``: other addresses and protocols stay."""
    host, _, inside = port.rpartition("->")
    host = host.removeprefix("0.0.0.0:").removeprefix("[::]:")
    return f"{host}→{inside.removesuffix('/tcp')}"


def waiting(blocked: Iterable[tuple[str, str]], containers: Mapping[str, str]) -> dict[str, str]:
    """By service, why a container of it cannot start yet. blocked: names of containers, with the reason."""
    return {containers[name]: why for name, why in blocked if name in containers}


def _cell(text: str, column: Column) -> str:
    text = fit(text, column.width)
    return text.rjust(column.width) if column.right else text.ljust(column.width)
