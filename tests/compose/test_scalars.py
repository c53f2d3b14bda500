from __future__ import annotations

import pytest

from orchestra.compose.scalars import render, resolve


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", None),
        ("~", None),
        ("null", None),
        ("true", True),
        ("False", False),
        ("yes", "yes"),
        ("on", "on"),
        ("no", "no"),
        ("12", 12),
        ("-3", -3),
        ("0440", 288),
        ("0o440", 288),
        ("0x1F", 31),
        ("1_000", 1000),
        ("1.5", 1.5),
        ("1e3", 1000.0),
        ("1.2.3", "1.2.3"),
        ("8080:80", "8080:80"),
        ("2024-01-01", "2024-01-01"),
        ("nginx", "nginx"),
        ("0x_", "0x_"),
        ("-0b", "-0b"),
        ("18446744073709551615", 2**64 - 1),
        ("18446744073709551616", 18446744073709551616.0),
        ("9" * 5000, "9" * 5000),
        ("1e999", "1e999"),
    ],
)
def test_a_plain_scalar_means_what_its_look_says(text, value):
    resolved = resolve(text)
    assert resolved == value
    assert type(resolved) is type(value)


@pytest.mark.parametrize(
    ("value", "text"),
    [(1.5, "1.5"), (2.0, "2"), (1e21, "1e+21"), (True, "true"), (288, "288"), ("x", "x"), (1e-7, "1e-07")],
)
def test_a_scalar_is_written_as_go_writes_it(value, text):
    assert render(value) == text
