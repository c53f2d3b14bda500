"""The page of the Python interface: signatures and docstrings of what ``orchestra`` exports."""

from __future__ import annotations

import inspect
import re
import typing
from typing import TYPE_CHECKING

import orchestra
from orchestra import errors
from orchestra.compose.schema.stack import Stack
from tools.reference import marks

if TYPE_CHECKING:
    from collections.abc import Callable

_ERRORS = (errors.OrchestraError, errors.UserError, errors.ComposeError, errors.ComposeFileNotFound)
_VALUES = (errors.Diagnostic, errors.Span)


def renew(page: str) -> str:
    page = marks.replace(page, "load", _function("orchestra.load", orchestra.load))
    page = marks.replace(page, "stack", marks.table(("attribute", "type"), _fields()))
    return marks.replace(page, "errors", "\n\n".join([*map(_class, _ERRORS), *map(_value, _VALUES)]))


def _function(name: str, function: Callable[..., object]) -> str:
    """The signature as it is written, one parameter to a line, and the docstring."""
    signature = inspect.signature(function)
    lines, is_keyword = [f"{name}("], False
    for parameter in signature.parameters.values():
        if parameter.kind is parameter.KEYWORD_ONLY and not is_keyword:
            lines.append("    *,")
            is_keyword = True
        lines.append(f"    {str(parameter).replace(chr(39), '')},")
    lines.append(f") -> {signature.return_annotation}")
    return "```python\n" + "\n".join(lines) + f"\n```\n\n{_doc(function)}"


def _fields() -> list[tuple[str, ...]]:
    """Of a stack, with their types: a mapping is read-only, whatever the model says."""
    hints = {name: hint for name, hint in typing.get_type_hints(Stack).items() if name in Stack.hints()}
    kinds = {name: re.sub(r"\b[a-z_.]+\.", "", inspect.formatannotation(hint)) for name, hint in hints.items()}
    kinds = {name: re.sub(r"Optional\[(\w+)\]", r"\1 | None", kind) for name, kind in kinds.items()}
    return [(f"`{name}`", f"`{kind.replace('dict', 'Mapping')}`") for name, kind in kinds.items()]


def _class(error: type[errors.OrchestraError]) -> str:
    return f"### {error.__name__}({error.__mro__[1].__name__})\n\n{_doc(error)} Exit code {error.exit_code}."


def _value(value: type[tuple[object, ...]]) -> str:
    return f"### {value.__name__}({', '.join(inspect.get_annotations(value))})\n\n{_doc(value)}"


def _doc(what: object) -> str:
    """A docstring as Markdown: double backquotes of reStructuredText become single ones."""
    return re.sub(r"``(.+?)``", r"`\1`", inspect.getdoc(what) or "")
