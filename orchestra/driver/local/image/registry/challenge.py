"""The challenges of a registry in ``WWW-Authenticate`` (RFC 9110, 11.3; distribution-spec's token scheme). Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from orchestra.record import Record
from orchestra.regex import regex

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_TOKEN = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_PARAMETER = regex(rf'\s*({_TOKEN})\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))\s*(?:,|$)')
_SCHEME = regex(rf"\s*,*\s*({_TOKEN})(?:\s+|\s*,|$)")


class Challenge(Record):
    """scheme: in lower case, like the names of parameters."""

    scheme: str
    parameters: Mapping[str, str] = {}


def parse_challenges(headers: Iterable[str]) -> tuple[Challenge, ...]:
    """All challenges; one header may hold several. Ignores what it cannot parse."""
    found: list[Challenge] = []
    for header in headers:
        position = 0
        while scheme := _SCHEME.match(header, position):
            position = scheme.end()
            parameters: dict[str, str] = {}
            while parameter := _PARAMETER.match(header, position):
                quoted, bare = parameter[2], parameter[3]
                value = re.sub(r"\\(.)", r"\1", quoted) if quoted is not None else bare
                parameters.setdefault(parameter[1].lower(), value)
                position = parameter.end()
            found.append(Challenge(scheme[1].lower(), parameters))
    return tuple(found)
