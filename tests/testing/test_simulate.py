"""Scenarios on a virtual clock."""

from __future__ import annotations

import pytest

from orchestra.testing.result import Outcome
from orchestra.testing.scenario_file import load_scenarios
from orchestra.testing.simulation.trial import simulate_scenario

STACK = """
name: shop
services:
  db:
    image: db
    restart: unless-stopped
    healthcheck: {test: "true", interval: 5s}
  job:
    image: job
    depends_on: {db: {condition: service_healthy}}
  web:
    image: web
    restart: always
    depends_on: {job: {condition: service_completed_successfully}}
    deploy: {replicas: 2}
"""
SERVICES = ["db", "job", "web"]


@pytest.fixture
def simulate(tmp_path):
    """The result of one scenario; text: its body, indented by four spaces."""
    (tmp_path / "compose.yaml").write_text(STACK)
    loaded: dict[str, dict] = {}

    def run(text: str, seed: int = 0):
        path = tmp_path / "shop.scenario.yaml"
        path.write_text(f"scenarios:\n  one:\n{text}")
        file = load_scenarios(str(path), (str(tmp_path / "compose.yaml"),), lambda *_: SERVICES)
        return simulate_scenario(file, "one", seed, {}, loaded.setdefault(text, {}))

    return run


WHOLE = """
    simulation:
      programs:
        db: {healthy_after: 3s, stops_after: 1s}
        job: {ends_after: 20s}
        web: {stops_after: 500ms}
    steps:
      - expect: {state: {web: running, job: exited}, exit_code: {job: 0}, containers: {web: 2}}
      - kill: {part: supervisor}
      - crash: web
      - expect: {state: {web: running}}
      - sicken: db
      - expect: {health: {db: unhealthy}}
      - cure: db
      - expect: {health: {db: healthy}}
        during: 20s
      - kill: web
      - expect: {exit_code: {web: 137}}
        during: 1m
      - start: web
      - scale: {web: 3}
      - expect: {containers: {web: 3}, state: {web: running}}
      - stop: all
      - expect: {state: {web: exited, db: exited}}
      - up: all
      - restart: all
      - expect: {state: {web: running}}
"""


@pytest.mark.timeout(120)
@pytest.mark.parametrize("seed", range(6))
def test_a_scenario_passes_in_every_life(simulate, seed):
    result = simulate(WHOLE, seed)
    assert (result.outcome, result.reason) == (Outcome.PASSED, "")
    assert len(result.steps) == 18


def test_a_failure_is_told_with_the_line_that_repeats_it(simulate):
    steps = """
    simulation: {troubles: {errors: 0.3, late: 0.5, latency: 1s}}
    steps:
      - crash: db
      - expect: {state: {db: exited}}
        within: 1h
        during: 1m
"""
    result = simulate(steps, 7)
    assert result.outcome is Outcome.FAILED
    assert "shop-db-1 is" in result.reason
    assert result.again.startswith("orchestra test --replay 7 -k one ")
    again = simulate(steps, 7)
    assert (again.reason, again.steps) == (result.reason, result.steps)


def test_an_up_may_be_expected_to_fail(simulate):
    programs = "    simulation: {programs: {job: {ends_after: 2s, exit_code: 3}}}\n    services: [db]\n    steps:\n"
    assert simulate(f'{programs}      - up: {{services: web, fails: "exit 3"}}\n').outcome is Outcome.PASSED
    assert "up has failed otherwise" in simulate(f"{programs}      - up: {{services: web, fails: memory}}\n").reason
    assert simulate(f"{programs}      - up: {{services: db, fails: memory}}\n").reason == "up has not failed"


def test_what_needs_containers_is_skipped(simulate):
    result = simulate("    steps:\n      - http: {service: web, port: 80}\n")
    assert (result.outcome, result.reason) == (Outcome.SKIPPED, "http service: web, port: 80: only on containers")
