"""``make_plain``: a user without root, made for the test."""

from __future__ import annotations

import pytest

from tests.plain import Plain, lack


@pytest.fixture
def make_plain():
    if lack():
        pytest.skip(lack())
    made = []

    def make(**options):
        made.append(Plain(**options))
        return made[-1]

    yield make
    for plain in made:
        plain.close()
