"""Paths in a Dockerfile: relative to the working directory, never above the root. Pure."""

from __future__ import annotations

import posixpath


def absolute(directory: str, path: str) -> str:
    """``path`` relative to ``directory``, without ``.`` and ``..``."""
    return "/" + posixpath.normpath(posixpath.join("/", directory, path)).lstrip("/")


def destination(directory: str, path: str) -> str:
    """The same, but with its final slash, by which COPY and ADD know directories."""
    whole = absolute(directory, path)
    is_directory = path in ("", ".") or path.endswith(("/", "/."))
    return whole + "/" if is_directory and whole != "/" else whole


def below_root(path: str) -> str:
    """A path of a source, relative to its root; ``.`` for the root itself."""
    return absolute("/", path).lstrip("/") or "."


def escaped(name: str) -> str:
    """A name as a pattern that matches only it."""
    return "".join("\\" + character if character in "*?[\\" else character for character in name)
