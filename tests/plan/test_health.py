"""When probes run and what they make of a container: Docker's rules, and the early probes of our own."""

from __future__ import annotations

import pytest

from orchestra.model.container import HealthcheckSpec
from orchestra.model.health import Health, HealthStatus
from orchestra.model.observed import Healthcheck
from orchestra.plan.health import describe_unhealthy, effective_healthcheck, next_probe, step
from tests.plan.stacks import service

START = 1000.0
STARTING = Health(HealthStatus.STARTING)


def life(spec, answers, seconds, probe_seconds=0.0):
    """Probe times since the start (early ones in brackets) and the health, until ``seconds`` have passed.

    answers: a function of the age of the container to the exit code of a probe that begins then.
    """
    health, told, now = STARTING, [], START
    while True:
        probe = next_probe(spec, START, health)
        began = max(now, probe.at)
        if began - START > seconds:
            return told, health
        took = min(probe_seconds, probe.timeout)
        code = None if probe_seconds > probe.timeout else answers(began - START)
        now = began + took
        health = step(health, spec, START, probe, code, "", now)
        age = f"{began - START:.2f}"
        told.append((f"({age})" if probe.early else age, health.status.value, health.failing_streak))


def never(_age):
    return 1


def test_the_first_success_makes_it_healthy_long_before_the_first_interval():
    spec = Healthcheck(("x",), interval=30.0)
    told, health = life(spec, lambda age: 0 if age >= 0.1 else 1, seconds=40.0)
    assert told == [
        ("(0.02)", "starting", 0),
        ("(0.04)", "starting", 0),
        ("(0.06)", "starting", 0),
        ("(0.09)", "starting", 0),
        ("(0.13)", "healthy", 0),
        ("30.13", "healthy", 0),
    ]
    assert health.status is HealthStatus.HEALTHY


def test_early_failures_do_not_count_and_regular_ones_do_at_dockers_times():
    spec = Healthcheck(("x",), interval=10.0, retries=3)
    told, health = life(spec, never, seconds=30.0)
    regular = [row for row in told if not row[0].startswith("(")]
    assert regular == [("10.00", "starting", 1), ("20.00", "starting", 2), ("30.00", "unhealthy", 3)]
    assert health.failing_streak == 3
    assert all(streak < 3 for age, _, streak in told if age.startswith("("))


def test_early_probes_grow_apart_until_only_regular_ones_are_left():
    told, _ = life(Healthcheck(("x",), interval=1.0, retries=100), never, seconds=10.0)
    early = [float(age.strip("()")) for age, _, _ in told if age.startswith("(")]
    assert early[0] == 0.02
    assert len(early) < 15
    assert max(early) < 4.0


def test_the_start_period_forgives_and_asks_more_often():
    spec = Healthcheck(("x",), interval=30.0, retries=1, start_period=12.0, start_interval=5.0)
    told, _ = life(spec, never, seconds=46.0)
    regular = [row for row in told if not row[0].startswith("(")]
    assert regular == [
        ("5.00", "starting", 0),
        ("10.00", "starting", 0),
        ("15.00", "unhealthy", 1),
        ("45.00", "unhealthy", 2),
    ]


def test_after_the_first_success_failures_count_even_in_the_start_period():
    spec = Healthcheck(("x",), interval=1.0, retries=2, start_period=60.0)
    health = Health(HealthStatus.HEALTHY, 0, START + 2.0)
    for streak, status in ((1, HealthStatus.HEALTHY), (2, HealthStatus.UNHEALTHY)):
        probe = next_probe(spec, START, health)
        assert not probe.early
        health = step(health, spec, START, probe, 1, "", probe.at)
        assert (health.failing_streak, health.status) == (streak, status)


def test_an_unhealthy_container_recovers_at_its_first_success():
    spec = Healthcheck(("x",), interval=1.0)
    ill = Health(HealthStatus.UNHEALTHY, 7, START + 50.0)
    probe = next_probe(spec, START, ill)
    assert probe.at == START + 51.0
    assert step(ill, spec, START, probe, 0, "ok", probe.at) == Health(HealthStatus.HEALTHY, 0, START + 51.0, "ok", 0)


def test_an_early_probe_is_cut_off_in_time_for_the_regular_one():
    spec = Healthcheck(("x",), interval=2.0, timeout=30.0, retries=2)
    told, _ = life(spec, never, seconds=4.0, probe_seconds=60.0)
    assert [age for age, _, _ in told][:2] == ["(0.02)", "2.00"]
    probe = next_probe(spec, START, STARTING)
    assert probe.timeout == pytest.approx(1.98)


def test_a_probe_that_hangs_counts_as_a_failure():
    spec = Healthcheck(("x",), interval=1.0, timeout=0.5, retries=1)
    _, health = life(spec, never, seconds=1.0, probe_seconds=60.0)
    assert health.status is HealthStatus.UNHEALTHY


def test_probing_continues_where_the_record_ends():
    spec = Healthcheck(("x",), interval=30.0)
    assert next_probe(spec, START, Health(HealthStatus.HEALTHY, 0, START + 100.0)).at == START + 130.0
    assert next_probe(spec, START, Health(HealthStatus.STARTING, 0, START + 31.0)).at == pytest.approx(START + 46.5)


def test_only_the_end_of_long_output_is_kept():
    probe = next_probe(Healthcheck(("x",)), START, STARTING)
    health = step(STARTING, Healthcheck(("x",)), START, probe, 0, "a" * 9000 + "end", START + 1)
    assert len(health.output) == 4096
    assert health.output.endswith("end")


def test_no_retries_given_means_dockers_three():
    spec = Healthcheck(("x",), interval=1.0, retries=0)
    _, health = life(spec, never, seconds=2.0)
    assert health.status is HealthStatus.STARTING
    _, health = life(spec, never, seconds=3.0)
    assert health.status is HealthStatus.UNHEALTHY


OF_IMAGE = Healthcheck(("image",), interval=5.0, timeout=7.0, retries=2, start_period=9.0, start_interval=1.0)


@pytest.mark.parametrize(
    ("own", "disabled", "image", "effective"),
    [
        (None, False, None, None),
        (None, False, OF_IMAGE, OF_IMAGE),
        (None, True, OF_IMAGE, None),
        (HealthcheckSpec(("own",)), False, None, Healthcheck(("own",))),
        (HealthcheckSpec(interval=1.0), False, None, None),
        (HealthcheckSpec(("own",)), False, OF_IMAGE, Healthcheck(("own",), 5.0, 7.0, 2, 9.0, 1.0)),
        (HealthcheckSpec(interval=1.0, retries=9), False, OF_IMAGE, Healthcheck(("image",), 1.0, 7.0, 9, 9.0, 1.0)),
        (
            HealthcheckSpec(("own",), 11.0, 12.0, 13, 14.0, 15.0),
            False,
            OF_IMAGE,
            Healthcheck(("own",), 11.0, 12.0, 13, 14.0, 15.0),
        ),
    ],
)
def test_the_file_speaks_before_the_image_setting_by_setting(own, disabled, image, effective):
    (spec,) = service("web", healthy=own, healthcheck_disabled=disabled)("s", 0)
    assert effective_healthcheck(spec, image) == effective


def test_an_unhealthy_container_is_reported_with_its_last_probe():
    def said(output, exit_code):
        return describe_unhealthy("s-db-1", Health(HealthStatus.UNHEALTHY, 3, 1.0, output, exit_code))

    assert said("trying\nrefused\n\n", 1) == "container s-db-1 is unhealthy: refused (exit code 1)"
    assert said("", 2) == "container s-db-1 is unhealthy: exit code 2"
    assert said("timed out after 3 s. ", None) == "container s-db-1 is unhealthy: timed out after 3 s."
    assert said("", None) == "container s-db-1 is unhealthy"
    assert said("\x1b[2Jgone\x07", 1) == "container s-db-1 is unhealthy: \\x1b[2Jgone\\x07 (exit code 1)"
    assert len(said("x" * 5000, None)) < 250
