"""Finds possible secrets in files by the form of names and values. Pure."""

from __future__ import annotations

import re

from orchestra.regex import regex

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

_NAME = regex(
    r"passw(or)?d|passphrase|secret|token|api_?key|access_?key|private_?key|credential|(^|_)(pwd|pass)($|_)",
    re.IGNORECASE,
)
# These names stand for a file or a rule, and hold no secret themselves.
_HARMLESS = regex(r"_(file|path|name|ttl|length|lifetime|expir\w*|policy|enabled)$", re.IGNORECASE)
_VALUES = {
    "a private key": regex(r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----"),
    "an AWS access key": regex(r"\b(AKIA|ASIA)[0-9A-Z]{16}\b"),
    "a GitHub token": regex(r"\b(gh[pousr]_[A-Za-z0-9]{36,}|github_pat_[A-Za-z0-9_]{40,})"),
    "a GitLab token": regex(r"\bglpat-[A-Za-z0-9_-]{20,}"),
    "a Slack token": regex(r"\bxox[abprs]-[A-Za-z0-9-]{10,}"),
    "a JSON Web Token": regex(r"\beyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]+"),
    "an address with a password": regex(r"\b[a-z][a-z0-9+.-]*://[^/\s:@$]*:[^/\s@${}]+@"),
}
_SHORTEST = 3


def is_secret_by_name(name: str, value: str) -> bool:
    """Whether the name suggests a secret, and the value is written out, that is, not a variable itself."""
    literal = value.replace("$$", "X")
    is_written = len(literal) >= _SHORTEST and "${" not in literal and not literal.startswith("$")
    return is_written and bool(_NAME.search(name)) and not _HARMLESS.search(name)


def secrets_in(text: str) -> Iterator[str]:
    """The kinds of secrets in a text, in words."""
    for kind, pattern in _VALUES.items():
        if pattern.search(text):
            yield kind
