"""Which environment variables the program reads: found in its source."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_MAPPINGS = frozenset({"environ", "environment", "_environment"})
_READS = frozenset({"get", "pop", "lookup"})


def read_variables(package: Path) -> dict[str, frozenset[str]]:
    """Names of variables that modules below ``package`` ask a mapping called environ or environment for.

    With the modules that do, relative to ``package``. A name may stand in a constant, also one of another module.
    """
    constants: dict[Path, dict[str, str]] = {}
    keys: dict[Path, list[ast.expr]] = {}
    for file in sorted(package.rglob("*.py")):
        text = file.read_text(encoding="utf-8")
        module = ast.parse(text)  # not kept: the search for garbage would go through all modules again and again
        constants[file] = dict(_constants(module))
        keys[file] = list(_keys(module)) if "environ" in text else []  # every name of such a mapping has it
    elsewhere = {name: value for own in constants.values() for name, value in own.items()}
    found: dict[str, set[str]] = {}
    for file, asked in keys.items():
        for key in asked:
            name = key.value if isinstance(key, ast.Constant) else None
            if isinstance(key, ast.Name):
                name = constants[file].get(key.id, elsewhere.get(key.id))
            if isinstance(name, str):
                found.setdefault(name, set()).add(str(file.relative_to(package)))
    return {name: frozenset(files) for name, files in sorted(found.items())}


def _constants(module: ast.Module) -> Iterator[tuple[str, str]]:
    for statement in module.body:
        match statement:
            case ast.Assign(targets=[ast.Name(id=name)], value=ast.Constant(value=str(value))):
                yield name, value
            case ast.Assign(targets=[ast.Tuple(elts=names)], value=ast.Tuple(elts=values)):
                for target, node in zip(names, values, strict=False):
                    if isinstance(target, ast.Name) and isinstance(node, ast.Constant) and isinstance(node.value, str):
                        yield target.id, node.value


def _keys(module: ast.Module) -> Iterator[ast.expr]:
    for node in ast.walk(module):
        match node:
            case ast.Call(func=ast.Attribute(value=mapping, attr=method), args=[key, *_]) if method in _READS:
                pass
            case ast.Subscript(value=mapping, slice=key):
                pass
            case ast.Compare(left=key, ops=[ast.In() | ast.NotIn()], comparators=[mapping]):
                pass
            case _:
                continue
        if isinstance(mapping, ast.Attribute):
            called = mapping.attr
        elif isinstance(mapping, ast.Name):
            called = mapping.id
        else:
            continue
        if called in _MAPPINGS:
            yield key
