"""Lines of a body that comes in pieces. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


def lines(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """Without their ends; the last one may be cut off."""
    rest = b""
    for chunk in chunks:
        *whole, rest = (rest + chunk).split(b"\n")
        yield from whole
    if rest:
        yield rest
