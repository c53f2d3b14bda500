"""How errors of the system are told."""

from __future__ import annotations

import pytest

from orchestra.errors import describe


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (FileNotFoundError(2, "No such file", "/a"), "/a: No such file"),
        (OSError(18, "Other device", "/a", None, b"/b"), "/a -> /b: Other device"),
        (OSError("odd"), "odd"),
        (OSError(36, "File name too long", "/a" * 2000), f"{'/a' * 100}…{'/a' * 100}: File name too long"),
    ],
)
def test_an_error_is_told_with_its_paths(error, expected):
    assert describe(error) == expected
