"""Values that are not what they look like, with a warning at their place in each file.

They are read as by Docker Compose; but a number that loses its zeros, a mode that is not octal, or a text that other
YAML readers take for a number is seldom what the author meant.
"""

from __future__ import annotations

import datetime
from enum import Enum
from typing import TYPE_CHECKING

from orchestra.compose.nodes import Map, Node, Path, Scalar
from orchestra.compose.patterns import Branch, plant
from orchestra.compose.scalars import render, resolve
from orchestra.regex import regex

if TYPE_CHECKING:
    from orchestra.compose.problems import Problems


class Meant(Enum):
    """What the author of a value means at some paths, whatever it looks like."""

    TEXT = "a text, so that every character counts"
    PAIR = "KEY=VALUE"
    MODE = "the permissions of a file, in octal"


_HOOKS = ("post_start", "pre_start", "pre_stop")
_OF_A_SERVICE = (
    "annotations",
    "build.additional_contexts",
    "build.args",
    "build.labels",
    "deploy.labels",
    "environment",
    "labels",
    "logging.options",
    "storage_opt",
    "sysctls",
    "volumes.[].volume.labels",
    "networks.*.driver_opts",
    "gpus.[].options",
    "deploy.resources.reservations.devices.[].options",
    "develop.watch.[].exec.environment",
    *(f"{hook}.[].environment" for hook in _HOOKS),
)
MAPPINGS = (
    *(f"services.*.{attribute}" for attribute in _OF_A_SERVICE),
    *(f"{kind}.*.labels" for kind in ("configs", "networks", "secrets", "volumes")),
    *(f"{kind}.*.driver_opts" for kind in ("configs", "networks", "secrets", "volumes")),
    "networks.*.ipam.config.[].aux_addresses",
    "networks.*.ipam.options",
)
"""Mappings from names to texts."""
MODES = (
    "services.*.build.secrets.[].mode",
    "services.*.configs.[].mode",
    "services.*.secrets.[].mode",
    "services.*.volumes.[].tmpfs.mode",
)
_ROOT = plant(
    {
        **{f"{path}.*": Meant.TEXT for path in MAPPINGS},
        **{f"{path}.[]": Meant.PAIR for path in MAPPINGS},
        **dict.fromkeys(MODES, Meant.MODE),
    }
)
# YAML 1.1: a number to the base of sixty, and a day (https://yaml.org/type/int.html, timestamp.html).
_SIXTY = regex(r"[1-9][0-9_]*(?::[0-5]?[0-9])+")
_LONGEST = 20
_DAY = regex(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


def look_for_traps(document: Map, problems: Problems) -> None:
    """Warn about values in one document of a file, before its variables are replaced."""
    if "version" in document.items:
        message = "the attribute version is obsolete and is ignored"
        problems.warn("obsolete", message, document.keys["version"], ("version",), "remove it")
    known: set[tuple[int, int]] = set()
    for key, node in document.items.items():
        if not key.startswith("x-"):
            _look(node, (key,), _ROOT.at(key), problems, known)


def _look(
    node: Node, path: Path, branch: Branch[Meant] | None, problems: Problems, known: set[tuple[int, int]]
) -> None:
    if (id(node), id(branch)) in known:
        return  # an alias of a value that has been checked
    known.add((id(node), id(branch)))
    if isinstance(node, Scalar):
        if node.plain:
            _look_at(node, path, branch.value if branch else None, problems)
    elif isinstance(node, Map):
        for key, item in node.items.items():
            _look(item, (*path, key), branch.at(key) if branch else None, problems, known)
    else:
        below = branch.below.get("[]") if branch else None
        for index, item in enumerate(node.items):
            _look(item, (*path, index), below, problems, known)


def _look_at(node: Scalar, path: Path, meant: Meant | None, problems: Problems) -> None:
    value = node.value
    if isinstance(value, str):
        if value[:1].isdigit() and len(value) <= _LONGEST:
            _misread(value, node, path, problems)
        elif meant is Meant.PAIR and value[-1:] in ("'", '"'):
            _quoted(value, node, path, problems)
    elif meant is Meant.MODE and isinstance(value, int) and not isinstance(value, bool):
        _decimal(value, node, path, problems)
    elif meant is Meant.TEXT and isinstance(value, (int, float)) and not isinstance(value, bool):
        _changed(value, node, path, problems)


def _misread(text: str, node: Scalar, path: Path, problems: Problems) -> None:
    """Text in YAML 1.2, but something else in YAML 1.1, which many tools still read."""
    if _SIXTY.fullmatch(text):
        number = 0
        for part in text.replace("_", "").split(":"):
            number = 60 * number + int(part)
        taken = f"the number {number}"
    elif _DAY.fullmatch(text) and _is_day(text):
        taken = "a date"
    else:
        return
    message = f"{text} is a string here, but some YAML parsers read it as {taken}"
    problems.warn("ambiguous", message, node.span, path, f'write "{text}"')


def _is_day(text: str) -> bool:
    try:
        datetime.date.fromisoformat(text)
    except ValueError:
        return False
    return True


def _quoted(text: str, node: Scalar, path: Path, problems: Problems) -> None:
    key, equals, value = text.partition("=")
    quote = value[-1:]
    if equals and len(value) > 1 and value[0] == quote and value.count(quote) == 2:
        message = f"the quotes are part of the value of {key}"
        hint = f"remove them, or quote the whole entry: {quote}{key}={value[1:-1]}{quote}"
        problems.warn("quotes-kept", message, node.span, path, hint)


def _decimal(value: int, node: Scalar, path: Path, problems: Problems) -> None:
    written = _written(node, problems)
    if written.isdigit() and not written.startswith("0") and set(written) <= set("01234567") and value > 7:
        message = f"the mode {written} is a decimal number: in octal it is 0{value:o}"
        problems.warn("decimal-mode", message, node.span, path, f"write 0{written} if you meant an octal mode")


def _changed(value: float, node: Scalar, path: Path, problems: Problems) -> None:
    written, given = _written(node, problems), render(value)
    if written != given and resolve(written) == value:
        message = f"{written} is a number here, and is passed on as {given}"
        problems.warn("value-changed", message, node.span, path, f'write "{written}" to keep it unchanged')


def _written(node: Scalar, problems: Problems) -> str:
    """The text that a plain scalar was read from; '' if it cannot be known."""
    span = node.span
    return problems.line(span)[span.column - 1 : span.end_column - 1] if span.line == span.end_line else ""
