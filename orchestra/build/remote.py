"""Sources of ADD that are not in the context: URLs of files and of Git repositories.

See https://docs.docker.com/reference/dockerfile/#add and https://docs.docker.com/build/concepts/context/#git-repositories.
"""

from __future__ import annotations

import posixpath
import re
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, unquote, urlsplit

from orchestra.build.problem import Wrong
from orchestra.build.step import Download, GitTree
from orchestra.regex import regex

if TYPE_CHECKING:
    from collections.abc import Iterable

_GIT_SCHEMES = ("git", "ssh")
_WEB_SCHEMES = ("http", "https")
_SCP = regex(r"[A-Za-z0-9_.-]+@[A-Za-z0-9.-]+:(?!//)[^\s?#]+")
_UNNAMED = "__unnamed__"
_TRUE, _FALSE = ("1", "t", "T", "TRUE", "true", "True"), ("0", "f", "F", "FALSE", "false", "False")


def parse_remote(source: str, checksum: str, keep_git_directory: bool | None) -> Download | GitTree | None:
    """What a source of ADD means, if it is not a path. Raises Wrong."""
    try:
        parts = urlsplit(source)
    except ValueError as error:
        raise Wrong(f"invalid URL {source}: {error}") from None
    is_web = parts.scheme in _WEB_SCHEMES and source.startswith(f"{parts.scheme}://")
    if _SCP.match(source) or parts.scheme in _GIT_SCHEMES or (is_web and parts.path.endswith(".git")):
        return _git(source, checksum, keep_git_directory)
    if not is_web:
        return None
    if checksum and not re.fullmatch(r"sha256:[0-9a-f]{64}|sha384:[0-9a-f]{96}|sha512:[0-9a-f]{128}", checksum):
        raise Wrong(f"invalid checksum digest format: {checksum}", "write --checksum=sha256:…")
    name = posixpath.basename(unquote(parts.path).rstrip("/"))
    return Download(source, _UNNAMED if name in ("", ".", "..") else name, checksum)


def _git(source: str, checksum: str, keep: bool | None) -> GitTree:
    address, _, fragment = source.partition("#")
    url, _, query = address.partition("?")
    reference, _, directory = fragment.partition(":")
    for name, value in _once(parse_qsl(query, keep_blank_values=True)):
        match name:
            case "ref":
                reference = _same("ref", reference, value)
            case "tag":
                reference = _same("ref", reference, f"refs/tags/{value.removeprefix('refs/tags/')}")
            case "branch":
                reference = _same("ref", reference, f"refs/heads/{value.removeprefix('refs/heads/')}")
            case "subdir":
                directory = _same("subdir", directory, value)
            case "checksum" | "commit":
                checksum = _same("checksum", checksum, value)
            case "keep-git-dir" if value in _TRUE + _FALSE + ("",):
                if keep is not None and keep != (value not in _FALSE):
                    raise Wrong("inconsistent keep-git-dir configuration")
                keep = value not in _FALSE
            case _:
                raise Wrong(
                    f"unexpected query {name}={value} in {url}", "ref, tag, branch, subdir and checksum are known"
                )
    return GitTree(url, reference or checksum, directory.strip("/"), checksum, bool(keep))


def _once(pairs: Iterable[tuple[str, str]]) -> Iterable[tuple[str, str]]:
    seen: set[str] = set()
    for name, value in pairs:
        if name in seen:
            raise Wrong(f"query {name} has multiple values")
        seen.add(name)
        yield name, value


def _same(what: str, known: str, value: str) -> str:
    if not value:
        raise Wrong(f"query {what} has no value")
    if known and known != value:
        raise Wrong(f"{what} conflicts: {known} and {value}")
    return value
