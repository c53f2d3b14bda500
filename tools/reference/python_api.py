"""The page of the Python interface: signatures and docstrings of what ``orchestra`` exports."""

from __future__ import annotations

import inspect
import re
import typing
from typing import TYPE_CHECKING

import orchestra
from orchestra import errors
from orchestra.api.asynchronous import AsyncRunningStack
from orchestra.compose.schema.stack import Stack
from orchestra.model.result import Exit
from tools.reference import marks

if TYPE_CHECKING:
    from collections.abc import Callable

_ERRORS = (
    *(errors.OrchestraError, errors.UserError, errors.ComposeError, errors.ComposeFileNotFound),
    *(errors.EnvironmentLack, orchestra.StackError, orchestra.UpError, orchestra.ExecError),
)
_VALUES = (errors.Diagnostic, errors.Span)
_RESULTS = (orchestra.Address, orchestra.ExecResult, orchestra.LogLine, orchestra.ContainerRow, Exit)
_EVENTS = (
    *(orchestra.SnapshotEvent, orchestra.ContainerEvent, orchestra.HealthEvent, orchestra.ActionEvent),
    *(orchestra.SkippedEvent, orchestra.BlockedEvent, orchestra.ConvergedEvent),
)
LONGEST = 120


def renew(page: str) -> str:
    page = marks.replace(page, "load", _function("orchestra.load", orchestra.load))
    page = marks.replace(page, "up", _function("orchestra.up", orchestra.up))
    page = marks.replace(page, "running stack", _methods(orchestra.RunningStack))
    page = marks.replace(page, "asynchronous stack", _doc(AsyncRunningStack))
    page = marks.replace(page, "results", "\n\n".join(map(_value, _RESULTS)))
    page = marks.replace(page, "events", "\n\n".join(map(_value, _EVENTS)))
    page = marks.replace(page, "stack", marks.table(("attribute", "type"), _fields()))
    return marks.replace(page, "errors", "\n\n".join([*map(_class, _ERRORS), *map(_value, _VALUES)]))


def _methods(stack: type[orchestra.RunningStack]) -> str:
    public = [(name, method) for name, method in vars(stack).items() if inspect.isfunction(method) and name[0] != "_"]
    described = [f"### {name}\n\n{_function(f'stack.{name}', method)}" for name, method in public]
    return "\n\n".join([_doc(stack), *described])


def _function(name: str, function: Callable[..., object]) -> str:
    """The signature as it is written, on one line if it fits, else one parameter to a line; and the docstring."""
    signature = inspect.signature(function)
    words, is_keyword = [], False
    for parameter in signature.parameters.values():
        if parameter.name == "self":
            continue
        if parameter.kind is parameter.KEYWORD_ONLY and not is_keyword:
            words.append("*")
        is_keyword = is_keyword or parameter.kind in (parameter.KEYWORD_ONLY, parameter.VAR_POSITIONAL)
        words.append(_parameter(parameter))
    line = f"{name}({', '.join(words)}) -> {signature.return_annotation}"
    if len(line) > LONGEST:
        line = "\n".join([f"{name}(", *(f"    {word}," for word in words), f") -> {signature.return_annotation}"])
    return f"```python\n{line}\n```\n\n{_doc(function)}"


def _parameter(parameter: inspect.Parameter) -> str:
    star = "*" if parameter.kind is parameter.VAR_POSITIONAL else ""
    default = parameter.default
    shown = f'"{default}"' if isinstance(default, str) else repr(default)
    return f"{star}{parameter.name}: {parameter.annotation}{'' if default is parameter.empty else f' = {shown}'}"


def _fields() -> list[tuple[str, ...]]:
    """Of a stack, with their types: a mapping is read-only, whatever the model says."""
    hints = {name: hint for name, hint in typing.get_type_hints(Stack).items() if name in Stack.hints()}
    kinds = {name: re.sub(r"\b[a-z_.]+\.", "", inspect.formatannotation(hint)) for name, hint in hints.items()}
    kinds = {name: re.sub(r"Optional\[(\w+)\]", r"\1 | None", kind) for name, kind in kinds.items()}
    return [(f"`{name}`", f"`{kind.replace('dict', 'Mapping')}`") for name, kind in kinds.items()]


def _class(error: type[errors.OrchestraError]) -> str:
    return f"### {error.__name__}({error.__mro__[1].__name__})\n\n{_doc(error)} Exit code {error.exit_code}."


def _value(value: type[object]) -> str:
    return f"### {value.__name__}({', '.join(inspect.get_annotations(value))})\n\n{_doc(value)}".rstrip()


def _doc(what: object) -> str:
    """A docstring as Markdown: double backquotes of reStructuredText become single ones."""
    return re.sub(r"``(.+?)``", r"`\1`", inspect.getdoc(what) or "")
