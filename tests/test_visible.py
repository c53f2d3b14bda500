from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestra.visible import visible


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("web-1", "web-1"),
        ("größer 東京", "größer 東京"),
        ("\x1b]0;title\x07", r"\x1b]0;title\x07"),
        ("\x9b31m", r"\x9b31m"),
        ("one\ntwo\tthree\r", r"one\ntwo\tthree\r"),
        ("exe\u202etxt", r"exe\u202etxt"),
        ("a\u2028b", r"a\u2028b"),
        (b"\xff".decode(errors="surrogateescape"), r"\udcff"),
    ],
)
def test_what_is_not_printable_is_written_out(text, shown):
    assert visible(text) == shown


def test_lines_may_stay_lines():
    assert visible("one\n\ttwo\r\n\x1b", lines=True) == "one\n\ttwo\\r\n\\x1b"


@given(st.text())
def test_nothing_that_is_shown_steers_a_terminal(text):
    assert visible(text).isprintable()
    visible(text).encode()
