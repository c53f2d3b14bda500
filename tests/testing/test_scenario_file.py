"""What a file of scenarios may say, and where it is wrong."""

from __future__ import annotations

import pytest

from orchestra.errors import ComposeError, ComposeFileNotFound
from orchestra.testing.scenario_file import find_scenario_files, load_scenarios

STACK = ("/srv/compose.yaml",)


def load(tmp_path, text):
    path = tmp_path / "shop.scenario.yaml"
    path.write_text(text)
    return load_scenarios(str(path), STACK, lambda _files, _scenario: ["web", "db"])


def complaints(tmp_path, text):
    """Line, column and message of each."""
    with pytest.raises(ComposeError) as caught:
        load(tmp_path, text)
    return [(each.span.line, each.span.column, each.message, each.hint) for each in caught.value.diagnostics]


def test_steps_are_read_and_described(tmp_path):
    text = """
scenarios:
  one:
    steps:
      - up: all
      - kill: web
      - kill: {part: shim, service: db}
      - scale: {web: 2, db: 1}
      - exec: {service: web, command: "sh -c 'exit 3'", exit_code: 3}
        within: 1m
      - expect: {state: {web: running}}
        during: 5s
"""
    loaded = load(tmp_path, text)
    assert loaded.stack == STACK
    assert list(map(str, loaded.scenarios["one"].steps)) == [
        "up all",
        "kill web",
        "kill service: db, part: shim",
        "scale web=2, db=1",
        "exec service: web, command: sh -c exit 3, exit_code: 3 within 1m0s",
        "expect state: web=running during 5s",
    ]


def test_unknown_keys_and_values_are_refused_at_their_places(tmp_path):
    text = """
scenarios:
  one:
    steps:
      - kil: web
      - expect: {state: {web: runing}, log: {web: "("}}
        within: 3
"""
    found = complaints(tmp_path, text)
    assert [each[:2] for each in found] == [(5, 9), (6, 31), (6, 51), (7, 17)]
    assert found[0][2:] == ("unknown key kil in scenarios.one.steps[0]", "did you mean kill?")
    assert "must be created, running, paused, restarting or exited, not the string 'runing'" in found[1][2]
    assert "is no regular expression: missing )" in found[2][2]
    assert "must be a duration such as 1m30s, not the number 3" in found[3][2]


def test_steps_that_cannot_be_done_are_refused_at_their_places(tmp_path):
    text = """
scenarios:
  one:
    steps:
      - kill: wep
      - {start: web, stop: web}
      - start: web
        within: 3s
      - {}
      - kill: {part: shim}
      - expect: {health: {wob: healthy}}
"""
    found = complaints(tmp_path, text)
    assert [each[:3] for each in found] == [
        (5, 15, "no such service: wep"),
        (6, 9, "a step is one action or expectation; this one has start and stop"),
        (8, 9, "start is done when it is done: within is for exec, http, tcp, expect"),
        (9, 9, "a step is one action or expectation; this one has none"),
        (10, 15, "kill is missing the key service"),
        (11, 27, "no such service: wob"),
    ]
    assert found[0][3] == "did you mean web?"


def test_files_are_found_by_their_ending(tmp_path):
    with pytest.raises(ComposeFileNotFound, match=r"ends with \.scenario\.yaml"):
        find_scenario_files(str(tmp_path))
    (tmp_path / "shop.scenario.yaml").write_text("scenarios: {}")
    assert find_scenario_files(str(tmp_path)) == [str(tmp_path / "shop.scenario.yaml")]
    with pytest.raises(ComposeFileNotFound, match="names no stack, and there is no Compose file beside it"):
        load_scenarios(str(tmp_path / "shop.scenario.yaml"), (), lambda _files, _scenario: [])
