"""The systemd unit of a stack: systemd.unit(5), systemd.service(5). Pure, but for looking at the directory of units."""

from __future__ import annotations

import os

from orchestra.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

UNITS = "/etc/systemd/system"
TARGET = "multi-user.target"
HOME = "ORCHESTRA_HOME"
_FIRST = "# Made by orchestra enable for the stack "


class Unit(Record):
    """program: the command that is run, with what it needs before its own arguments; systemd allows no quotes and
    backslashes in the path. environment: variables to keep.

    directories: must be mounted before the stack comes back. files: its Compose files.
    """

    stack: str
    program: tuple[str, ...]
    environment: Mapping[str, str] = {}
    directories: tuple[str, ...] = ()
    files: tuple[str, ...] = ()


def unit_name(stack: str) -> str:
    return f"orchestra-{stack}.service"


def unit_path(stack: str, units: str = UNITS) -> str:
    return f"{units}/{unit_name(stack)}"


def recovery(unit: Unit, *options: str) -> list[str]:
    """The command line that brings the stack back."""
    return [*unit.program, "-p", unit.stack, "recover", *options]


def render(unit: Unit) -> str:
    variables = "".join(f"Environment={_quote(f'{name}={value}')}\n" for name, value in unit.environment.items())
    mounts = "".join(f"RequiresMountsFor={_quote(directory)}\n" for directory in unit.directories)
    from urllib.parse import quote

    documents = "".join(f"Documentation=file://{_percent(quote(path))}\n" for path in unit.files)
    return f"""\
{_FIRST}{unit.stack}; orchestra disable removes it.
[Unit]
Description=Stack {unit.stack}
{documents}Wants=network-online.target
After=network-online.target local-fs.target nss-lookup.target
{mounts}
[Service]
Type=notify
{variables}ExecStart={" ".join(_quote(word) for word in recovery(unit, "--stay"))}
Restart=on-failure
RestartSec=1
# A boot waits for no image and no health check longer than for the stack itself.
TimeoutStartSec=infinity
# Only a machine that goes down stops containers; stopping or updating this unit does not.
KillMode=process
# The stack's processes that began in a login session are moved here.
Delegate=yes

[Install]
WantedBy={TARGET}
"""


def enabled_stacks(home: str | None, units: str = UNITS) -> frozenset[str]:
    """The stacks that come back at boot. home: the value of ORCHESTRA_HOME, None without one."""
    try:
        links = os.listdir(f"{units}/{TARGET}.wants")
    except (FileNotFoundError, PermissionError):
        return frozenset()
    named = [link.removeprefix("orchestra-").removesuffix(".service") for link in links if _is_ours(link)]
    return frozenset(stack for stack in named if is_for(load(stack, units), home))


def is_enabled(stack: str, home: str | None, units: str = UNITS) -> bool:
    """Whether this stack comes back at boot; home: as in ``enabled_stacks``."""
    linked = os.path.lexists(f"{units}/{TARGET}.wants/{unit_name(stack)}")
    return linked and is_for(load(stack, units), home)


def load(stack: str, units: str = UNITS) -> str:
    """The text of the stack's unit; empty if there is none that ``render`` made."""
    try:
        with open(unit_path(stack, units), encoding="utf-8") as file:
            text = file.read()
    except (OSError, ValueError):
        return ""
    return text if text.startswith(_FIRST) else ""


def is_for(text: str, home: str | None) -> bool:
    """Whether the unit of that text is about stacks of this home."""
    kept = [line for line in text.splitlines() if line.startswith(f'Environment="{HOME}=')]
    expected = [] if home is None else [f"Environment={_quote(f'{HOME}={home}')}"]
    return bool(text) and kept == expected


def program_of(text: str) -> str:
    """The program that the unit runs, for looking whether it still exists."""
    line = next((line for line in text.splitlines() if line.startswith("ExecStart=")), "")
    return line.removeprefix('ExecStart="').partition('"')[0].replace("%%", "%")


def _is_ours(link: str) -> bool:
    return link.startswith("orchestra-") and link.endswith(".service")


def _percent(word: str) -> str:
    return word.replace("%", "%%")


def _quote(word: str) -> str:
    """Always in quotes: systemd.syntax(7)."""
    escaped = _percent(word.replace("\\", "\\\\").replace('"', '\\"'))
    return f'"{escaped}"'


def directories_of(paths: Sequence[str]) -> tuple[str, ...]:
    """Without those that lie below another one of them."""
    kept: list[str] = []
    for path in sorted({os.path.abspath(path) for path in paths}):
        if not any(path.startswith(f"{above.rstrip('/')}/") for above in kept):
            kept.append(path)
    return tuple(kept)
