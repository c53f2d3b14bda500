"""Durations, byte sizes and port ranges in Go's and Docker's notation. Pure; standard library only."""

from __future__ import annotations

from orchestra.named_tuple import NamedTuple
from orchestra.regex import regex

NANOSECONDS = {
    "ns": 1,
    "us": 1_000,
    "µs": 1_000,  # U+00B5, micro sign
    "μs": 1_000,  # U+03BC, Greek letter mu
    "ms": 1_000_000,
    "s": 1_000_000_000,
    "m": 60_000_000_000,
    "h": 3_600_000_000_000,
    # Compose adds days and weeks to Go's units (the specification's "Specifying durations").
    "d": 86_400_000_000_000,
    "w": 604_800_000_000_000,
}

_DURATION = regex(r"(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|μs|ms|s|m|h|d|w)")
_SIZE = regex(r"(-?\d+(?:\.\d+)?)\s*([kmgtpKMGTP]?)(?:[iI]?[bB])?")
_EXPONENT = {"": 0, "k": 1, "m": 2, "g": 3, "t": 4, "p": 5}
_PORTS = regex(r"(\d+)(?:-(\d+))?")


# Longer texts are not meant as numbers.
_LONGEST = 100


def _shown(text: str) -> str:
    return repr(text if len(text) <= 60 else f"{text[:59]}…")


class Duration(int):
    """A span of time in whole nanoseconds, as Go's ``time.Duration``."""

    @property
    def seconds(self) -> float:
        return self / 1_000_000_000

    def __str__(self) -> str:
        return format_duration(self)


class ByteSize(int):
    """A number of bytes; -1 where Docker means "without limit"."""

    def __str__(self) -> str:
        return str(int(self))


class PortRange(NamedTuple):
    """Ports ``first`` to ``last``, both included."""

    first: int
    last: int

    def __len__(self) -> int:
        return self.last - self.first + 1

    def __str__(self) -> str:
        return str(self.first) if self.first == self.last else f"{self.first}-{self.last}"


def parse_duration(text: str) -> Duration:
    """``1h30m``, ``1.5s``, ``-2ms``, ``0``; a bare number other than 0 has no unit and is refused with ValueError."""
    sign, rest = 1, text
    if rest[:1] in {"-", "+"}:
        sign, rest = (-1 if rest[0] == "-" else 1), rest[1:]
    if rest == "0":
        return Duration(0)
    total, position = 0, 0
    while position < len(rest) <= _LONGEST:
        match = _DURATION.match(rest, position)
        if match is None:
            break
        whole, _, fraction = match[1].partition(".")
        unit = NANOSECONDS[match[2]]
        total += int(whole or "0") * unit + int(fraction or "0") * unit // 10 ** len(fraction)
        position = match.end()
    if position == 0 or position < len(rest):
        raise ValueError(f"{_shown(text)} is not a duration; use a number with a unit, such as 90s or 1m30s")
    return Duration(sign * total)


def format_duration(nanoseconds: int) -> str:
    """As Go prints a duration: ``1m30s``, ``1.5s``, ``100ms``, ``0s``; the text parses back to the same value."""
    sign, rest = ("-", -nanoseconds) if nanoseconds < 0 else ("", int(nanoseconds))
    if rest == 0:
        return "0s"
    for unit in ("ns", "µs", "ms"):
        scale = NANOSECONDS[unit]
        if rest < scale * 1000:
            return f"{sign}{_decimal(rest, scale)}{unit}"
    hours, rest = divmod(rest, NANOSECONDS["h"])
    minutes, rest = divmod(rest, NANOSECONDS["m"])
    seconds = f"{_decimal(rest, NANOSECONDS['s'])}s"
    if hours:
        return f"{sign}{hours}h{minutes}m{seconds}"
    return f"{sign}{minutes}m{seconds}" if minutes else f"{sign}{seconds}"


def _decimal(value: int, scale: int) -> str:
    """``value / scale`` exactly, without trailing zeros; ``scale`` is a power of ten."""
    whole, rest = divmod(value, scale)
    digits = str(rest).zfill(len(str(scale)) - 1).rstrip("0") if rest else ""
    return f"{whole}.{digits}" if digits else str(whole)


def parse_bytes(text: str) -> ByteSize:
    """``512m``, ``1.5GB``, ``64KiB``, ``-1``: units are powers of 1024 as in Docker; ValueError otherwise."""
    match = _SIZE.fullmatch(text.strip()) if len(text) <= _LONGEST else None
    if match is None:
        raise ValueError(
            f"{_shown(text)} is not a size; use a number of bytes, or a number with a unit, such as 512m or 2g"
        )
    scale = 1024 ** _EXPONENT[match[2].lower()]
    whole, _, fraction = match[1].partition(".")
    if not fraction:
        return ByteSize(int(whole) * scale)
    # Decimal digits times a power of two, rounded down, without a float in between.
    numerator = int(whole + fraction)
    return ByteSize(numerator * scale // 10 ** len(fraction))


def format_bytes(size: int) -> str:
    """In the largest unit that shows it exactly: ``64 MiB``, ``1536 MiB``, ``1000 bytes``."""
    for unit, factor in (("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)):
        if size and size % factor == 0:
            return f"{size // factor} {unit}"
    return f"{size} bytes"


def parse_port_range(text: str) -> PortRange:
    """``80`` or ``8000-8010``; ValueError for anything else, for ports above 65535 and for a falling range."""
    match = _PORTS.fullmatch(text) if len(text) <= _LONGEST else None
    if match is None:
        raise ValueError(f"{_shown(text)} is not a port or a port range")
    first = int(match[1])
    last = int(match[2] or first)
    if last > 65535:
        raise ValueError(f"port {last} is above 65535")
    if first > last:
        raise ValueError(f"the range {text} ends before it begins")
    return PortRange(first, last)
