"""Describes a container in words, with a line for each property. Pure."""

from __future__ import annotations

import time
from datetime import datetime

from orchestra.cli.render.ages import describe_span
from orchestra.cli.render.encoding import spelled
from orchestra.cli.render.narrow import wrap
from orchestra.cli.render.sizes import describe_binary_size
from orchestra.model.health import Health
from orchestra.model.names import short_id
from orchestra.visible import visible

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

    from orchestra.stacks.containers import ContainerRow

    Details = Mapping[str, Any]

INDENT = 2
HEADING = 13
"""Columns of a heading, including the space before the text."""
WIDE = 10_000
DIGEST = "sha256:"
CORE = 1_000_000_000
KILLED = 128
"""Exit codes from here on are this plus the number of a signal."""


def render_summary(stack: str, row: ContainerRow, details: Details, now: float, width: int | None) -> str:
    """details: in Docker's shape. now: Unix time. width: columns of the terminal, None for no limit."""
    room = max((width or WIDE) - INDENT - HEADING, 1)
    lines = [f"{row.name}: service {row.service}, container {row.index} of stack {stack}"]
    for heading, texts in _things(row, details, now):
        for text in texts:
            for part in wrap(spelled(visible(text)), room):
                lines.append(f"{' ' * INDENT}{heading:<{HEADING}}{part}".rstrip())
                heading = ""
    first = [part for line in lines[:1] for part in wrap(visible(line), width or WIDE)]
    return "".join(f"{line}\n" for line in (*first, *lines[1:]))


def _things(row: ContainerRow, details: Details, now: float) -> Iterator[tuple[str, list[str]]]:
    """Headings, each with at least one line."""
    config, host = details["Config"], details["HostConfig"]
    yield "ID", [short_id(details["Id"]) or "unknown"]
    yield "Image", [_image(details)]
    yield "Command", [" ".join(row.command) or "unknown"]
    yield "State", list(_state(row, host, now))
    yield "Created", [_moment(row.created_at, now)]
    if health := _health(row, details, now):
        yield "Health", health
    yield "Restarts", [f"{details['RestartCount']}, policy {host['RestartPolicy']['Name']}"]
    yield "Networks", _networks(details) or [f"none of its own ({host['NetworkMode'] or 'not attached'})"]
    yield "Ports", list(row.ports) or ["none published"]
    yield "Mounts", [_mount(mount) for mount in details["Mounts"]] or ["none"]
    yield "Limits", [", ".join(_limits(host)) or "none"]
    if config["User"]:
        yield "User", [config["User"]]
    names = sorted(entry.partition("=")[0] for entry in config["Env"])
    yield "Environment", [", ".join(names) or "none"]
    if details["LogPath"]:
        yield "Log", [details["LogPath"]]
    if row.damage:
        yield "Damage", [row.damage]


def _image(details: Details) -> str:
    name, digest = details["Config"]["Image"] or "unknown", details["Image"]
    return f"{name} ({short_id(digest)})" if digest.startswith(DIGEST) else name


def _state(row: ContainerRow, host: Details, now: float) -> Iterator[str]:
    match row.state:
        case "running":
            yield f"running, PID {row.pid}"
            yield f"started {_moment(row.started_at, now)}"
        case "exited" | "restarting":
            code = "unknown" if row.exit_code is None else str(row.exit_code)
            yield f"{row.state}, exit code {code}{_signal(row.exit_code)}"
            if row.oom_killed:
                limit = f" (its limit is {describe_binary_size(host['Memory'])})" if host["Memory"] else ""
                yield f"it ran out of memory{limit}, and the kernel killed it"
            if row.started_at:
                yield f"started {_moment(row.started_at, now)}"
            if row.finished_at:
                yield f"ended {_moment(row.finished_at, now)}"
        case other:
            yield f"{other}, never started"
    if row.error:
        yield f"cannot start: {row.error}"


def _signal(code: int | None) -> str:
    import signal

    try:
        return f" ({signal.Signals(code - KILLED).name})" if code is not None and code > KILLED else ""
    except ValueError:
        return ""


def _health(row: ContainerRow, details: Details, now: float) -> list[str]:
    check = details["Config"]["Healthcheck"]
    seen = details["State"].get("Health")
    lines = []
    if seen is not None:
        failures = f", {seen['FailingStreak']} failures in a row" if seen["FailingStreak"] else ""
        lines.append(f"{seen['Status']}{failures}")
        lines += [_probe(probe, now) for probe in reversed(seen["Log"])]
    if check is not None:
        lines.append(f"probe: {' '.join(check['Test'][1:])}")
    return lines


def _probe(probe: Details, now: float) -> str:
    """``2026-01-31 12:00:00 +0100, 5 seconds ago, took 0.02 s: connection refused (exit code 1)``."""
    began, ended = (datetime.fromisoformat(probe[end]).timestamp() for end in ("Start", "End"))
    code = None if probe["ExitCode"] < 0 else probe["ExitCode"]
    said = Health(output=probe["Output"], exit_code=code).failure
    return f"{_moment(ended, now)}, took {ended - began:.2f} s: {said}"


def _networks(details: Details) -> list[str]:
    return [
        f"{name}: {network['IPAddress']}/{network['IPPrefixLen']}, {network['MacAddress']}"
        for name, network in details["NetworkSettings"]["Networks"].items()
    ]


def _mount(mount: Details) -> str:
    source = mount.get("Name") or mount["Source"]
    text = (
        f"{mount['Type']} {source} at {mount['Destination']}" if source else f"{mount['Type']} {mount['Destination']}"
    )
    return text if mount["RW"] else f"{text} (read-only)"


def _limits(host: Details) -> Iterator[str]:
    if host["Memory"]:
        yield f"memory {describe_binary_size(host['Memory'])}"
    if host["CpuQuota"] and host["CpuPeriod"]:
        yield f"{host['CpuQuota'] / host['CpuPeriod']:g} processors"
    if host["CpusetCpus"]:
        yield f"processors {host['CpusetCpus']}"
    if (host["PidsLimit"] or 0) > 0:
        yield f"{host['PidsLimit']} processes"


def _moment(seconds: float, now: float) -> str:
    """``2026-01-31 12:00:00 +0100, 5 minutes ago``."""
    at = time.strftime("%Y-%m-%d %H:%M:%S %z", time.localtime(seconds))
    return f"{at}, {describe_span(max(0.0, now - seconds))} ago"
