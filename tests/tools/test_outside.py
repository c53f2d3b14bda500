"""Programs beside the package, which no other test imports, use what is there."""

from __future__ import annotations

import ast
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
PROGRAMS = sorted(
    str(path.relative_to(ROOT)) for folder in ("benchmarks", "examples") for path in (ROOT / folder).rglob("*.py")
)


def imported(path):
    """Module and name, for each name that is taken from a package of this repository."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.partition(".")[0] in ("orchestra", "tests"):
            yield from ((node.module, alias.name) for alias in node.names)


@pytest.mark.parametrize("program", PROGRAMS)
def test_what_a_program_imports_exists(program):
    for module, name in imported(ROOT / program):
        assert hasattr(import_module(module), name) or find_spec(f"{module}.{name}"), f"{module} has no {name}"


def test_there_are_such_programs():
    assert any(name == "home_hash" for _, name in imported(ROOT / "examples/demo.py"))
