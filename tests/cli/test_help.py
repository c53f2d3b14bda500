"""``help`` says what ``--help`` says, and names the nearest command for one that there is not."""

from __future__ import annotations

import pytest

from orchestra.cli import table


@pytest.mark.parametrize("words", [(), *((name,) for name in table.GROUPS), ("up",), ("image", "ls"), ("help",)])
def test_it_is_the_text_of_the_option(words, orchestra):
    code, out, err = orchestra("help", *words)
    assert (code, err) == (0, "")
    assert out == orchestra(*words, "--help")[1]
    assert f"Usage: orchestra {' '.join(words)}" in out


@pytest.mark.parametrize(
    ("words", "message", "hint"),
    [
        (("upp",), "no such command: upp", "did you mean up?"),
        (("image", "lss"), "no such command: image lss", "did you mean image ls?"),
        (("up", "down"), "no such command: up down", "did you mean down?"),
        (("bridge",), "docker compose's command bridge is not available yet", "--help"),
    ],
)
def test_a_command_that_there_is_not_gets_the_nearest_name(words, message, hint, orchestra):
    code, out, err = orchestra("help", *words)
    assert (code, out) == (16, "")
    assert f"error: {message}\n" in err
    assert hint in err
