"""A home and a context of its own for each test of builds."""

from __future__ import annotations

import pytest

from orchestra.home import Home


@pytest.fixture
def home(tmp_path):
    return Home(f"{tmp_path}/home/data", f"{tmp_path}/home/run")


@pytest.fixture
def context(tmp_path):
    """A directory with two files, which hold their names."""
    path = tmp_path / "context"
    path.mkdir()
    for name in ("a", "b"):
        (path / name).write_text(name)
    return path
