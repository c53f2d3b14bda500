"""From what was read of stacks to the samples of each metric. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestra import __version__
from orchestra.metrics.exposition import Sample, render_labels
from orchestra.metrics.table import HEALTH, METRICS, STATES
from orchestra.model.health import HealthStatus

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from orchestra.metrics.table import Metric
    from orchestra.model.usage import Usage
    from orchestra.stacks.containers import ContainerRow
    from orchestra.stacks.measure import ContainerReading, StackReading

NANOSECOND = 1e-9
_BY_NAME = {metric.name.removeprefix("orchestra_"): metric for metric in METRICS}


class _Samples:
    def __init__(self) -> None:
        self.found: dict[str, list[Sample]] = {name: [] for name in _BY_NAME}

    def add(self, name: str, labels: str, value: float, suffix: str = "") -> None:
        """name: without the prefix of all of them."""
        self.found[name].append(Sample(labels, value, suffix))


def collect(stacks: Iterable[StackReading], seconds: float) -> Mapping[Metric, list[Sample]]:
    """Every metric, those without samples included. seconds: of processor time that reading took."""
    samples = _Samples()
    samples.add("build_info", render_labels([("version", __version__)]), 1)
    for stack in stacks:
        _collect_stack(stack, samples)
    samples.add("scrape_cpu_seconds", "", seconds)
    return {_BY_NAME[name]: found for name, found in samples.found.items()}


def _collect_stack(stack: StackReading, samples: _Samples) -> None:
    labels = render_labels([("stack", stack.stack)])
    samples.add("stack_readable", labels, not stack.error)
    if stack.error:
        return
    samples.add("stack_supervised", labels, stack.supervised)
    for service in sorted({*stack.desired, *stack.running}):
        of_service = render_labels([("stack", stack.stack), ("service", service)])
        samples.add("service_desired_containers", of_service, stack.desired.get(service, 0))
        samples.add("service_running_containers", of_service, stack.running.get(service, 0))
    kills: Mapping[str, int] = {}
    if (tally := stack.tally) is not None:
        kills = tally.memory_kills
        for (verb, phase), count in sorted(tally.actions.items()):
            of_action = render_labels([("stack", stack.stack), ("action", verb), ("outcome", phase)])
            samples.add("stack_actions", of_action, count)
        samples.add("stack_convergence_seconds", labels, tally.seconds, "_sum")
        samples.add("stack_convergence_seconds", labels, tally.convergences, "_count")
        samples.add("stack_failed_resources", labels, tally.failed)
        if tally.last_at:
            samples.add("stack_last_convergence_seconds", labels, tally.last_seconds)
            samples.add("stack_last_convergence_timestamp_seconds", labels, tally.last_at)
    for each in stack.containers:
        _collect_container(stack.stack, each, kills.get(each.row.name, 0), samples)


def _collect_container(stack: str, reading: ContainerReading, memory_kills: int, samples: _Samples) -> None:
    row = reading.row
    pairs = [("stack", stack), ("service", row.service), ("container", row.name), ("image", row.image)]
    labels = render_labels(pairs)
    begun = labels[:-1]
    for state in STATES:
        samples.add("container_state", f'{begun},state="{state}"}}', state == row.state)
    if row.runs and row.health.status is not HealthStatus.NONE:
        for status in HEALTH:
            samples.add("container_health", f'{begun},health="{status}"}}', status == row.health.status)
    _collect_run(row, labels, samples)
    samples.add("container_restarts", labels, row.restarts)
    samples.add("container_oom_kills", labels, memory_kills)
    if reading.usage is not None:
        _collect_usage(reading.usage, labels, samples)


def _collect_run(row: ContainerRow, labels: str, samples: _Samples) -> None:
    if row.started_at:
        samples.add("container_start_time_seconds", labels, row.started_at)
    if row.state == "exited" and row.exit_code is not None:
        samples.add("container_exit_code", labels, row.exit_code)


def _collect_usage(usage: Usage, labels: str, samples: _Samples) -> None:
    samples.add("container_cpu_usage_seconds", labels, usage.processor * NANOSECOND)
    samples.add("container_memory_working_set_bytes", labels, usage.memory)
    samples.add("container_memory_limit_bytes", labels, usage.memory_limit)
    samples.add("container_network_receive_bytes", labels, usage.received)
    samples.add("container_network_transmit_bytes", labels, usage.sent)
    if usage.read is not None and usage.written is not None:
        samples.add("container_block_read_bytes", labels, usage.read)
        samples.add("container_block_written_bytes", labels, usage.written)
    samples.add("container_processes", labels, usage.processes)
