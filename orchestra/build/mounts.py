"""``RUN --mount``: https://docs.docker.com/reference/dockerfile/#run---mount."""

from __future__ import annotations

import csv
import posixpath
from enum import StrEnum
from typing import TYPE_CHECKING

from orchestra.build.paths import absolute
from orchestra.build.problem import Wrong
from orchestra.build.step import BindMount, CacheMount, Mount, SecretMount, Sharing, SshMount, TmpfsMount
from orchestra.nearest import suggest
from orchestra.record import Record
from orchestra.units import parse_bytes

if TYPE_CHECKING:
    from collections.abc import Callable


class Kind(StrEnum):
    BIND = "bind"
    CACHE = "cache"
    TMPFS = "tmpfs"
    SECRET = "secret"
    SSH = "ssh"


_ALIASES = {"src": "source", "dst": "target", "destination": "target", "ro": "readonly", "rw": "readwrite"}
_EVERYWHERE = frozenset({"type", "source", "target", "from", "id", "readonly", "readwrite"})
_OWNED = frozenset({"mode", "uid", "gid"})
_OPTIONS = {
    Kind.BIND: _EVERYWHERE,
    Kind.CACHE: _EVERYWHERE | _OWNED | {"sharing"},
    Kind.TMPFS: _EVERYWHERE | {"size"},
    Kind.SECRET: (_EVERYWHERE | _OWNED | {"required", "env"}) - {"from"},
    Kind.SSH: _EVERYWHERE | _OWNED | {"required"},
}
_FLAGS = frozenset({"readonly", "readwrite", "required"})
_TRUE, _FALSE = ("1", "t", "T", "TRUE", "true", "True", ""), ("0", "f", "F", "FALSE", "false", "False")


class MountOptions(Record):
    """The options of one mount, by their long names; ``readonly`` without a value is empty. source: of ``from``."""

    kind: Kind
    source: str
    values: dict[str, str]


def parse_mount(text: str, replace: Callable[[str], str]) -> MountOptions:
    """text: the value of ``--mount``. replace: puts in the values of variables. Raises Wrong."""
    values: dict[str, str] = {}
    for field in _fields(text):
        name, equals, value = field.partition("=")
        name = _ALIASES.get(name.lower(), name.lower())
        if name == "from" and "$" in value[:-1]:
            raise Wrong("'from' doesn't support variable expansion, define alias stage instead")
        if not equals and name not in _FLAGS:
            raise Wrong(f"invalid field '{field}' must be a key=value pair")
        values[name] = replace(value) if name != "from" else value
    kind = values.get("type", "bind").lower()
    if kind not in tuple(Kind):
        raise Wrong(f'unsupported mount type "{kind}"', suggest(kind, tuple(Kind), "types"))
    allowed = _OPTIONS[Kind(kind)]
    for name in values:
        if name not in allowed:
            everywhere = frozenset().union(*_OPTIONS.values())
            hint = "" if name in everywhere else suggest(name, allowed, "keys")
            raise Wrong(f"unexpected key '{name}' for mount type '{kind}'", hint)
    return MountOptions(Kind(kind), values.pop("from", ""), values)


def source_of_mount(text: str) -> str:
    """The stage, image or named context that a mount needs, before variables are known; empty if it needs none."""
    try:
        options = parse_mount(text, lambda value: value)
    except Wrong:
        # With variables, or wrong: then it is reported when the stage is built.
        fields = dict(field.partition("=")[::2] for field in text.split(","))
        return "" if fields.get("type") == Kind.TMPFS else fields.get("from", "")
    return options.source if options.kind in (Kind.BIND, Kind.CACHE) else ""


def _fields(text: str) -> list[str]:
    try:
        rows = list(csv.reader([text], strict=True))
    except csv.Error as error:
        raise Wrong(f"failed to parse the mount {text!r}: {error}") from None
    return rows[0] if rows else []


def make_mount(options: MountOptions, tree: Callable[[str], int], directory: str, number: int) -> Mount:
    """tree: the step of a source, or of the context for an empty one. directory: the working directory.

    number: that of the mount in its instruction. Raises Wrong.
    """
    values = options.values
    target = values.get("target", "")
    place = absolute(directory, target)
    match options.kind:
        case Kind.SECRET:
            return _secret(values, place)
        case Kind.SSH:
            return SshMount(
                values.get("id") or "default",
                place if target else f"/run/buildkit/ssh_agent.{number}",
                _boolean(values, "required"),
                _number(values, "mode", 0o600, 8),
                _number(values, "uid", 0),
                _number(values, "gid", 0),
            )
    if place == "/":
        raise Wrong(f'invalid mount target "{target or "/"}"', "a mount needs target=PATH, and it cannot be the root")
    path = absolute("/", values.get("source", ""))
    match options.kind:
        case Kind.TMPFS:
            return TmpfsMount(place, _size(values))
        case Kind.CACHE:
            sharing = values.get("sharing", Sharing.SHARED).lower()
            if sharing not in tuple(Sharing):
                raise Wrong(f'unsupported sharing value "{sharing}"', suggest(sharing, tuple(Sharing), "values"))
            return CacheMount(
                place,
                values.get("id") or posixpath.normpath(target),
                Sharing(sharing),
                tree(options.source) if options.source else None,
                path,
                _is_read_only(values, otherwise=False),
                _number(values, "mode", 0o755, 8),
                _number(values, "uid", 0),
                _number(values, "gid", 0),
            )
    return BindMount(place, tree(options.source), path, not _is_read_only(values, otherwise=True))


def _secret(values: dict[str, str], place: str) -> SecretMount:
    target, source, identifier = (values.get(name, "") for name in ("target", "source", "id"))
    if source and identifier:
        raise Wrong("both source and id can't be set")
    identifier = source or identifier or posixpath.basename(target)
    if not identifier:
        raise Wrong("invalid secret mount. one of source, target required", "write --mount=type=secret,id=NAME")
    variable = values.get("env") or None
    if not target:
        place = f"/run/secrets/{posixpath.basename(identifier)}"
    return SecretMount(
        identifier,
        place if target or variable is None else None,
        variable,
        _boolean(values, "required"),
        _number(values, "mode", 0o400, 8),
        _number(values, "uid", 0),
        _number(values, "gid", 0),
    )


def _boolean(values: dict[str, str], name: str) -> bool:
    value = values.get(name, "false")
    if value not in _TRUE + _FALSE:
        raise Wrong(f"invalid value for {name}: {value}", "write true or false")
    return value in _TRUE


def _is_read_only(values: dict[str, str], otherwise: bool) -> bool:
    # The last one counts.
    for name in reversed(values):
        if name in ("readonly", "readwrite"):
            return _boolean(values, name) == (name == "readonly")
    return otherwise


def _number(values: dict[str, str], name: str, otherwise: int, base: int = 10) -> int:
    value = values.get(name)
    if value is None:
        return otherwise
    if not value.isascii() or not value.isdigit() or len(value) > 11 or (base == 8 and set(value) & {"8", "9"}):
        raise Wrong(f"invalid value {value} for {name}")
    number = int(value, base)
    if number > 0xFFFFFFFF:
        raise Wrong(f"invalid value {value} for {name}")
    return number


def _size(values: dict[str, str]) -> int | None:
    if "size" not in values:
        return None
    try:
        return int(parse_bytes(values["size"]))
    except ValueError as error:
        raise Wrong(f"invalid value for size: {error}") from None
