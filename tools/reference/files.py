"""The page of files: every path of ``orchestra.home`` with its docstring."""

from __future__ import annotations

import inspect

from orchestra.home import Home, StackHome
from tools.reference import marks


def renew(page: str) -> str:
    home = Home("data", "run")
    page = marks.replace(page, "home", _render(home))
    return marks.replace(page, "stack", _render(home.stack("STACK")))


def _render(place: Home | StackHome) -> str:
    rows = [(f"`{path}`", text) for path, text in sorted(paths(place).items())]
    return marks.table(("path", "content"), rows)


def paths(place: Home | StackHome) -> dict[str, str]:
    """Each path that the place has as a property, and what the property says about it."""
    properties = {name: each for name, each in vars(type(place)).items() if isinstance(each, property)}
    return {str(getattr(place, name)): _on_one_line(each) for name, each in properties.items()}


def _on_one_line(each: property) -> str:
    return " ".join((inspect.getdoc(each) or "").replace("``", "`").split())
