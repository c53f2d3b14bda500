"""What is wrong with a document that the schema refuses: pydantic's errors as located diagnostics."""

from __future__ import annotations

import types
import typing
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from orchestra.compose.doubt import without_refused
from orchestra.compose.nodes import Map, Path, locate, plain, render_path
from orchestra.compose.problems import MAXIMUM_DIAGNOSTICS
from orchestra.compose.schema.model import Model
from orchestra.compose.schema.stack import Stack
from orchestra.compose.schema.strict import strict
from orchestra.compose.schema.values import describe
from orchestra.regex import regex

if TYPE_CHECKING:
    from collections.abc import Mapping

    from orchestra.compose.problems import Problems

_WRONG_TYPE = {
    "string_type": "a string",
    "dict_type": "a mapping",
    "model_type": "a mapping",
    "tuple_type": "a list",
}
_ORIGINS = frozenset({"image", "build", "provider"})
"""Attributes of which every service needs one."""
_STRING_OR_LIST = frozenset({"command", "entrypoint", "test", "env_file", "label_file", "dns", "dns_search", "tmpfs"})
_KEY_WITHOUT_SPACE = regex(r"[\w.-]+:[^\s/]")
_UNKNOWN_KEY = "string_pattern_mismatch"
_ROUNDS = (None, 3, 2, 1)
"""What each round removes: the wrong value itself, then its whole attribute, resource, kind."""


def without_mistakes(document: Map, problems: Problems, model: type[Model] = Stack) -> Map:
    """The document without what the schema refuses. model: of the whole document.

    Raises ComposeError if there are more mistakes than are reported.
    """
    for length in _ROUNDS:
        try:
            strict(model).model_validate(plain(document))
        except ValidationError as error:
            # Unknown keys first: the key that was meant is then not reported as missing.
            items = sorted(error.errors(include_url=False), key=lambda item: item["type"] != _UNKNOWN_KEY)
        else:
            break
        paths = [_document_path(item["loc"]) for item in items]
        if length is None:
            for item, path in zip(items[:MAXIMUM_DIAGNOSTICS], paths, strict=False):
                _report(document, item, path, problems, model)
            if problems.has_enough_errors:
                problems.raise_errors()
        document = without_refused(document, [path[:length] for path in paths], problems)
    return document


def _report(document: Map, item: Mapping[str, Any], path: Path, problems: Problems, model: type[Model]) -> None:
    subject = render_path(path)
    kind = item["type"]
    if kind == _UNKNOWN_KEY:
        key = str(path[-1])
        owner = render_path(path[:-1]) or "the file"
        place = locate(document, path, key=True)
        hint = _version_one(document, key, path) or _nearest(key, path[:-1], problems, model)
        problems.error("unknown-key", f"unknown key {_shown(key)} in {owner}", place, path, hint)
    elif kind == "missing" and problems.lacks(*path):
        pass  # it exists, but is wrong
    elif kind == "missing":
        key = str(item["loc"][-1])
        place = locate(document, path[:-1], key=True)
        problems.error("missing-key", f"{render_path(path[:-1])} is missing the key {key}", place, path)
    elif kind == "literal_error":
        expected = item["ctx"]["expected"].replace("'", "")
        message = f"{subject} must be {expected}, not {describe(item['input'])}"
        problems.error("invalid-value", message, locate(document, path), path)
    elif kind in _WRONG_TYPE:
        place = locate(document, path)
        expected, hint = _expected(item, path, problems.written_at(place))
        message = f"{subject} must be {expected}, not {describe(item['input'])}"
        problems.error("wrong-type", message, place, path, hint)
    else:
        text = str(item["ctx"]["error"]) if "error" in item.get("ctx", {}) else str(item["msg"])
        code = "wrong-type" if text.startswith("must be") else "invalid-value"
        message = f"{subject} {text}" if text.startswith("must be") else f"{subject}: {text}"
        problems.error(code, message, locate(document, path), path)


def _expected(item: Mapping[str, Any], path: Path, written: str) -> tuple[str, str]:
    """What should be there instead of a value of the wrong type, and how to fix it."""
    kind, given = item["type"], item["input"]
    expected = _WRONG_TYPE[kind]
    is_text = isinstance(given, str)
    if isinstance(given, (bool, int, float)):
        if kind == "tuple_type" and path[-1] in _STRING_OR_LIST:
            return "a string or a list", f'quote it: {path[-1]}: "{written}"'
        if kind == "string_type":
            return expected, f'quote it: "{written}"'
    elif is_text and kind == "tuple_type":
        return expected, "write a list, with a dash before each entry"
    elif is_text and kind in ("dict_type", "model_type") and _KEY_WITHOUT_SPACE.match(given):
        return expected, f"a space is missing after the colon: {given.replace(':', ': ', 1)}"
    return expected, ""


def _version_one(document: Map, key: str, path: Path) -> str:
    """The hint for a service at the top level, where the first version of the format had them."""
    node = document.items.get(key)
    if len(path) == 1 and isinstance(node, Map) and node.items.keys() & _ORIGINS:
        return f"nest {_shown(key)} under services: (Compose files of version 1 had services at the top level)"
    return ""


def _document_path(location: tuple[str | int, ...]) -> Path:
    """The part of pydantic's location that is in the document; a last part that is missing there is kept."""
    return tuple(part for part in location if part != "[key]")


def _shown(key: str) -> str:
    return key if len(key) <= 60 else f"{key[:59]}…"


def _nearest(key: str, owner: Path, problems: Problems, model: type[Model]) -> str:
    """The known key that is most similar to an unknown one, otherwise all of a short list."""
    keys = known_keys(owner, model)
    close = problems.nearest(key, keys)
    if close:
        problems.leave_out((*owner, close))
        return f"did you mean {close}?"
    return f"known keys are {', '.join(sorted(keys))}" if 0 < len(keys) <= 12 else "custom keys begin with x-"


def known_keys(path: Path, model: type[Model] = Stack) -> tuple[str, ...]:
    """The keys that the schema knows for the mapping at ``path``. model: of the whole document."""
    kind: Any = model
    for part in path:
        kind = _inner(kind, part)
    return tuple(kind.hints()) if isinstance(kind, type) and issubclass(kind, Model) else ()


def _inner(kind: Any, part: str | int) -> Any:
    """The type of ``part`` of a value of type ``kind``."""
    if isinstance(kind, type) and issubclass(kind, Model):
        return _bare(kind.hints().get(str(part)))
    arguments = typing.get_args(kind)
    if not arguments:
        return None
    return _bare(arguments[0] if typing.get_origin(kind) is tuple else arguments[-1])


def _bare(kind: Any) -> Any:
    """Without ``| None`` and ``Annotated``."""
    while True:
        origin = typing.get_origin(kind)
        if origin is typing.Annotated:
            kind = typing.get_args(kind)[0]
        elif origin in (typing.Union, types.UnionType):
            members = [member for member in typing.get_args(kind) if member is not types.NoneType]
            models = [member for member in members if isinstance(member, type) and issubclass(member, Model)]
            kind = (models or members)[0]
        else:
            return kind
