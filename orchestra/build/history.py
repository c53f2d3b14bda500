"""Text of an image's history as BuildKit writes it: values in the notation of Go's ``fmt``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestra.units import format_duration

if TYPE_CHECKING:
    from collections.abc import Iterable

    from orchestra.build.instruction import Healthcheck

COMMENT = "buildkit.dockerfile.v0"
"""The comment of every entry: tools recognise by it what the texts mean."""
MARK = " # buildkit"
"""The end of a text whose instruction made a layer by a command or a copy."""
_ESCAPES = {"\a": r"\a", "\b": r"\b", "\f": r"\f", "\n": r"\n", "\r": r"\r", "\t": r"\t", "\v": r"\v"}


def quote(text: str) -> str:
    """As ``%q``."""
    parts: list[str] = []
    for character in text:
        if character in '"\\':
            parts.append("\\" + character)
        elif character in _ESCAPES:
            parts.append(_ESCAPES[character])
        elif character.isprintable():
            parts.append(character)
        elif ord(character) < 0x80:
            parts.append(f"\\x{ord(character):02x}")
        elif ord(character) <= 0xFFFF:
            parts.append(f"\\u{ord(character):04x}")
        else:
            parts.append(f"\\U{ord(character):08x}")
    return f'"{"".join(parts)}"'


def quoted_list(values: Iterable[str]) -> str:
    """A list of strings as ``%q``."""
    return f"[{' '.join(map(quote, values))}]"


def plain_list(values: Iterable[str]) -> str:
    """A list as ``%v``."""
    return f"[{' '.join(values)}]"


def health_check(check: Healthcheck) -> str:
    """A health check as ``%+v``."""
    durations = ("Interval", check.interval), ("Timeout", check.timeout), ("StartPeriod", check.start_period)
    members = [f"Test:{plain_list(check.test)}", *(f"{name}:{format_duration(value)}" for name, value in durations)]
    members += [f"StartInterval:{format_duration(check.start_interval)}", f"Retries:{check.retries}"]
    return f"{{{' '.join(members)}}}"
