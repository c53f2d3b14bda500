"""The systemd unit of a stack: systemd.unit(5), systemd.service(5). Pure, but for looking at the directory of units."""

from __future__ import annotations

import os

from orchestra.named_tuple import NamedTuple
from orchestra.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

SYSTEM = "/etc/systemd/system"
HOME = "ORCHESTRA_HOME"
MACHINE_IS_UP = ("network-online.target", "local-fs.target", "nss-lookup.target")
_FIRST = "# Made by orchestra enable for the stack "


class Units(NamedTuple):
    """Where a systemd has the units of one home.

    target: what it starts at boot, or once a user's own systemd starts. home: the value of ORCHESTRA_HOME, None without
    one. user: whose systemd it is, 0 for the machine's.
    """

    directory: str = SYSTEM
    target: str = "multi-user.target"
    home: str | None = None
    user: int = 0

    def path(self, stack: str) -> str:
        return f"{self.directory}/{unit_name(stack)}"


def find_units(environment: Mapping[str, str], user: int) -> Units:
    """user: as known outside user namespaces."""
    home = environment.get(HOME)
    if user == 0:
        return Units(home=home)
    above = environment.get("XDG_CONFIG_HOME") or f"{environment.get('HOME', '')}/.config"
    return Units(f"{above}/systemd/user", "default.target", home, user)


class Unit(Record):
    """program: the command that is run, with what it needs before its own arguments; systemd allows no quotes and
    backslashes in the path. environment: variables to keep.

    directories: must be mounted before the stack comes back. files: its Compose files. after: units that go down later.
    """

    stack: str
    program: tuple[str, ...]
    environment: Mapping[str, str] = {}
    directories: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    after: tuple[str, ...] = MACHINE_IS_UP


def unit_name(stack: str) -> str:
    return f"orchestra-{stack}.service"


def recovery(unit: Unit, *options: str) -> list[str]:
    """The command line that brings the stack back."""
    return [*unit.program, "-p", unit.stack, "recover", *options]


def render(unit: Unit, target: str = Units().target) -> str:
    variables = "".join(f"Environment={_quote(f'{name}={value}')}\n" for name, value in unit.environment.items())
    mounts = "".join(f"RequiresMountsFor={_quote(directory)}\n" for directory in unit.directories)
    after = "Wants=network-online.target\n" if "network-online.target" in unit.after else ""
    after += f"After={' '.join(unit.after)}\n" if unit.after else ""
    from urllib.parse import quote

    documents = "".join(f"Documentation=file://{_percent(quote(path))}\n" for path in unit.files)
    return f"""\
{_FIRST}{unit.stack}; orchestra disable removes it.
[Unit]
Description=Stack {unit.stack}
{documents}{after}{mounts}
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
WantedBy={target}
"""


def enabled_stacks(units: Units) -> frozenset[str]:
    """The stacks that come back at boot."""
    try:
        links = os.listdir(f"{units.directory}/{units.target}.wants")
    except (FileNotFoundError, PermissionError):
        return frozenset()
    named = [link.removeprefix("orchestra-").removesuffix(".service") for link in links if _is_ours(link)]
    return frozenset(stack for stack in named if is_for(load(stack, units), units.home))


def is_enabled(stack: str, units: Units) -> bool:
    """Whether this stack comes back at boot."""
    linked = os.path.lexists(f"{units.directory}/{units.target}.wants/{unit_name(stack)}")
    return linked and is_for(load(stack, units), units.home)


def load(stack: str, units: Units) -> str:
    """The text of the stack's unit; empty if there is none that ``render`` made."""
    try:
        with open(units.path(stack), encoding="utf-8") as file:
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
