"""The corpora beside the checkout: real projects with golden answers, and the reference loader's own cases."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2] / ".." / "shared" / "compose"
CASES = ROOT / "compose-go-cases"
needed = pytest.mark.skipif(not ROOT.is_dir(), reason="the corpora beside the checkout (../shared/compose) are absent")


def read(path: str) -> Any:
    """A JSON file of the corpora; nothing when they are absent."""
    file = ROOT / path
    return json.loads(file.read_text()) if file.is_file() else {}


def table(name: str) -> list[Any]:
    """The cases of one of the tables, each with a name."""
    cases = read(f"compose-go-cases/tables/{name}.json").get("cases", [])
    return [pytest.param(case, id=f"{number} {case.get('test', '')}") for number, case in enumerate(cases)]


def folders(pattern: str, marker: str) -> list[Any]:
    """Directories below the cases that hold the file ``marker``."""
    found = sorted(path.parent for path in CASES.glob(f"{pattern}/{marker}"))
    return [pytest.param(path, id=str(path.relative_to(CASES))) for path in found]


def scorer() -> Any:
    """The scorer of the corpora, which knows when two answers count as equal."""
    spec = importlib.util.spec_from_file_location("diff_config", ROOT / "diff-config.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
