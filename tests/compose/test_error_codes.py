"""Every code that a diagnostic may carry is explained in docs/reference/errors.md, and nothing else is."""

from __future__ import annotations

import ast
import re
from pathlib import Path

from orchestra.build.problem import CODE

ROOT = Path(__file__).parents[2]
# ``_each(parse, code, hint)`` in compose.longhand makes rules that report with that code; the rest names it directly.
CALLS = {
    "error": 0,
    "warn": 0,
    "Diagnostic": 0,
    "InterpolationError": 0,
    "_each": 1,
    "refuse_file": 0,
    "_add": 1,
    "_tell_loss": 0,
}
# Told by the command line about what the supervisor reports: the kind of the resource, then ``-failed``.
AT_RUN_TIME = {"container-failed", "image-failed", "network-failed", "volume-failed"}


def used_codes() -> set[str]:
    found: set[str] = set()
    packages = (ROOT / "orchestra" / package for package in ("build", "compose", "stacks", "testing", "translation"))
    for path in (path for package in packages for path in package.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.Call):
                continue
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            position = CALLS.get(name)
            if position is None or len(node.args) <= position:
                continue
            for part in ast.walk(node.args[position]):
                if isinstance(part, ast.Constant) and re.fullmatch(r"[a-z]+(-[a-z]+)*", str(part.value)):
                    found.add(str(part.value))
    return found


def documented_codes() -> set[str]:
    text = (ROOT / "docs" / "reference" / "errors.md").read_text()
    return {code for line in re.findall(r"^### (.*)$", text, re.MULTILINE) for code in line.split(", ")}


def test_every_code_is_documented_and_every_documented_code_is_used():
    assert used_codes() | AT_RUN_TIME | {CODE} == documented_codes()
