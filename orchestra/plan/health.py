"""Health of one run of a container, as a pure state machine: when to probe next, and what a result changes.

The rules are Docker's (``--health-*`` in its run reference): starting; healthy at the first success; unhealthy after
``retries`` failures in a row, of which those within ``start_period`` before the first success do not count; probes
every ``interval``, or every ``start_interval`` during the start period.

One rule is Orchestra's, so that no stack waits for whole intervals: until the first success, probes also run early,
from 20 ms after the start, at growing intervals. Early failures do not count. An early probe is cut off when the
next regular one is due, so a slow program is never probed less often than by Docker.
"""

from __future__ import annotations

from math import floor
from typing import TYPE_CHECKING

from orchestra.model.health import Health, HealthStatus
from orchestra.model.observed import Healthcheck
from orchestra.named_tuple import NamedTuple

if TYPE_CHECKING:
    from orchestra.model.container import ContainerSpec

EARLIEST = 0.02
GROWTH = 0.5
"""The interval before the next early probe, as a fraction of the time since the start."""
MARGIN = 0.001
"""Seconds before a regular probe within which no early one runs; also Docker's shortest interval."""
DEFAULT_RETRIES = 3
OUTPUT_LIMIT = 4096
"""The maximum of a probe's output that is kept, as in Docker."""


def effective_healthcheck(spec: ContainerSpec, image: Healthcheck | None) -> Healthcheck | None:
    """The health check of a container: each setting from the file, else from its image, else Docker's default.

    None if there is no test, or if the file disables it.
    """
    if spec.healthcheck_disabled or spec.healthcheck is None:
        return None if spec.healthcheck_disabled else image
    own, base = spec.healthcheck, image or Healthcheck(())
    merged = Healthcheck(
        own.test or base.test,
        interval=own.interval or base.interval,
        timeout=own.timeout or base.timeout,
        retries=own.retries or base.retries,
        start_period=own.start_period or base.start_period,
        start_interval=own.start_interval or base.start_interval,
    )
    return merged if merged.test else None


class Probe(NamedTuple):
    """at: when to probe (Unix seconds, perhaps in the past); timeout: seconds after which no answer is a failure."""

    at: float
    timeout: float
    early: bool


def next_probe(spec: Healthcheck, started_at: float, health: Health) -> Probe:
    """The next probe of a run that began at ``started_at`` and has this ``health``."""
    interval = max(spec.interval, MARGIN)
    checked_at = health.checked_at
    if not _is_starting(health):
        return Probe((started_at if checked_at is None else checked_at) + interval, spec.timeout, early=False)
    after = started_at if checked_at is None else max(checked_at, started_at)
    regular = _regular(spec, started_at, after)
    early = after + max(EARLIEST, GROWTH * (after - started_at))
    if early < regular - MARGIN:
        return Probe(early, min(spec.timeout, regular - early), early=True)
    return Probe(regular, spec.timeout, early=False)


def _regular(spec: Healthcheck, started_at: float, after: float) -> float:
    """The first regular time later than ``after``, for a run that was never healthy."""
    calm_from = started_at + spec.start_period
    interval = max(spec.interval, MARGIN)
    if after < calm_from:
        distance = max(spec.start_interval, MARGIN)
        return min(_next_multiple(started_at, distance, after), calm_from + interval)
    return _next_multiple(calm_from, interval, after)


def _next_multiple(origin: float, distance: float, after: float) -> float:
    """The first of ``origin + n * distance`` that is later than ``after`` by more than the rounding of clocks."""
    return origin + (floor((after - origin + MARGIN / 2) / distance) + 1) * distance


def _is_starting(health: Health) -> bool:
    return health.status in (HealthStatus.NONE, HealthStatus.STARTING)


def step(
    health: Health, spec: Healthcheck, started_at: float, probe: Probe, exit_code: int | None, output: str, now: float
) -> Health:
    """The health after ``probe`` ended at ``now``. exit_code None: the probe was cut off."""
    output = output[-OUTPUT_LIMIT:]
    if exit_code == 0:
        return Health(HealthStatus.HEALTHY, 0, now, output, exit_code)
    starting = _is_starting(health)
    status = HealthStatus.STARTING if starting else health.status
    if probe.early:
        # An early probe that ends late must not make the regular one that it overlaps look done.
        before_regular = _regular(spec, started_at, probe.at) - 2 * MARGIN
        return Health(status, health.failing_streak, min(now, before_regular), output, exit_code)
    if starting and probe.at < started_at + spec.start_period:
        return Health(status, health.failing_streak, now, output, exit_code)
    streak = health.failing_streak + 1
    if streak >= (spec.retries or DEFAULT_RETRIES):
        status = HealthStatus.UNHEALTHY
    return Health(status, streak, now, output, exit_code)


def describe_unhealthy(name: str, health: Health) -> str:
    """``container s-db-1 is unhealthy: connection refused (exit code 1)``, with the last line of the probe's output."""
    return f"container {name} is unhealthy{': ' if health.failure else ''}{health.failure}"
