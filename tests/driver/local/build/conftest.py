"""A home of its own for each test of builds."""

from __future__ import annotations

import pytest

from orchestra.home import Home


@pytest.fixture
def home(tmp_path):
    return Home(f"{tmp_path}/home/data", f"{tmp_path}/home/run")
