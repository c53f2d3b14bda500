"""What the last lines of a log say about why a program has ended or does not get ready: the common errors, in words.

The lines are those of programs of all kinds (libc, Go, Node.js, Java, Python, databases), so the patterns look for the
words that they share.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from orchestra.named_tuple import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

_HOST = r"[\"'`]?(?P<name>[A-Za-z0-9_][A-Za-z0-9_.-]*)[\"'`]?"


class Clue(NamedTuple):
    """what: in words. name: the host that was looked for or called, or empty. line: what it was concluded from."""

    what: str
    name: str
    line: str


_UNKNOWN_NAME = "does not find the name {name}"
_REFUSED = "is refused by {name}"
NO_SPACE = "has no space left on a disk"
READ_ONLY = "writes to a file system that is read-only"
NOT_PERMITTED = "may not do what it tries"
NO_PROCESSES = "has as many processes as it may"
_PATTERNS = tuple(
    (re.compile(pattern, re.IGNORECASE), what)
    for pattern, what in (
        (rf"could not translate host name {_HOST}", _UNKNOWN_NAME),
        (rf"getaddrinfo (?:ENOTFOUND|EAI_AGAIN) {_HOST}", _UNKNOWN_NAME),
        (rf"lookup {_HOST}(?: on [^ ]+)?: (?:no such host|server misbehaving|i/o timeout)", _UNKNOWN_NAME),
        (
            rf"(?:bad address|unknown host|could not resolve host|host not found(?: in upstream)?):? {_HOST}",
            _UNKNOWN_NAME,
        ),
        (rf"UnknownHostException: {_HOST}", _UNKNOWN_NAME),
        (
            rf"{_HOST}: (?:name or service not known|temporary failure in name resolution|nodename nor servname)",
            _UNKNOWN_NAME,
        ),
        (
            r"name or service not known|temporary failure in name resolution|name does not resolve",
            "does not find a name",
        ),
        (r"address (?:already )?in use|EADDRINUSE|port is already allocated", "wants a port that another program uses"),
        (rf"connection to server at {_HOST}.*connection refused", _REFUSED),
        (rf"dial tcp {_HOST}:\d+: (?:connect: )?connection refused", _REFUSED),
        (rf"connect(?:ion)? to {_HOST}(?::\d+| port \d+)?.*(?:connection )?refused", _REFUSED),
        (rf"connect ECONNREFUSED {_HOST}", _REFUSED),
        (r"connection refused|ECONNREFUSED", "is refused by the server that it calls"),
        (r"no space left on device|ENOSPC|disk quota exceeded", NO_SPACE),
        (r"read-only file system|EROFS", READ_ONLY),
        (r"too many open files|EMFILE", "has as many files open as it may"),
        (
            r"cannot allocate memory|out of memory|OutOfMemoryError|MemoryError|heap out of memory",
            "has not enough memory",
        ),
        (
            r"\bfork\b.*(?:temporarily unavailable|interrupted system call|retry)|can'?t fork|cannot fork"
            r"|(?:can'?t|cannot|unable to|failed to) (?:start|create) (?:a |new |native )*thread|pthread_create",
            NO_PROCESSES,
        ),
        (r"exec format error", "is for another kind of processor"),
        (
            r"(?:password|ident|peer) authentication failed|access denied for user|WRONGPASS|NOAUTH",
            "has the wrong password",
        ),
        (r"permission denied|EACCES|operation not permitted|EPERM", NOT_PERMITTED),
        (r"certificate (?:has expired|verify failed|signed by unknown authority)", "does not trust a certificate"),
        (
            r"(?:syntax|parse|configuration|config) error|invalid configuration|YAMLException|unknown directive"
            r"|\[emerg\]|JSONDecodeError|TOMLDecodeError|error parsing",
            "does not understand its configuration",
        ),
        (r"ModuleNotFoundError|cannot find module|ClassNotFoundException|ImportError", "does not find a module"),
        (r"(?:command )?not found$|executable file not found", "does not find a command"),
        (r"no such file or directory|ENOENT", "does not find a file"),
        (
            r"(?:environment )?variable .*(?:not set|is required|is missing|undefined)|KeyError: '[A-Z_]+'"
            r"|\b[A-Z_][A-Z0-9_]*: (?:is not set|parameter (?:null or )?not set|unbound variable)",
            "lacks a variable",
        ),
        (
            r"unknown (?:option|flag|argument)|unrecognized (?:option|argument)|invalid option",
            "is called with an option that it does not know",
        ),
    )
)


def find_clue(lines: Iterable[str]) -> Clue | None:
    """The most telling of these lines: the one whose words say most, and of equal ones the last."""
    found: tuple[int, Clue] | None = None
    for line in lines:
        for rank, (pattern, what) in enumerate(_PATTERNS):
            match = pattern.search(line)
            if match is None:
                continue
            if found is None or rank <= found[0]:
                name = match.groupdict().get("name") or ""
                found = rank, Clue(what.format(name=name), name, line)
            break
    return found and found[1]
