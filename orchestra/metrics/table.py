"""Every metric by name: its type, its meaning, and its labels. The reference is made from this table.

Names are those that Prometheus advises (prometheus.io/docs/practices/naming): the unit comes last, and a counter ends
with ``_total``.
"""

from __future__ import annotations

from enum import StrEnum

from orchestra.named_tuple import NamedTuple


class Kind(StrEnum):
    """SUMMARY: a ``_sum`` and a ``_count``, without quantiles."""

    GAUGE = "gauge"
    COUNTER = "counter"
    SUMMARY = "summary"


class Metric(NamedTuple):
    """name: of a counter without ``_total``, which its samples have. unit: the end of the name, or empty."""

    name: str
    kind: Kind
    help: str
    labels: tuple[str, ...]
    unit: str = ""

    @property
    def shown(self) -> str:
        """The name of its samples, apart from the two of a summary."""
        return f"{self.name}_total" if self.kind is Kind.COUNTER else self.name


CONTAINER = ("stack", "service", "container", "image")
SERVICE = ("stack", "service")
STACK = ("stack",)

STATES = ("created", "running", "paused", "restarting", "exited")
HEALTH = ("starting", "healthy", "unhealthy")

METRICS = (
    Metric("orchestra_build_info", Kind.GAUGE, "The version of Orchestra; always 1", ("version",)),
    Metric("orchestra_stack_readable", Kind.GAUGE, "Whether the stack could be read; if not, it has no others", STACK),
    Metric("orchestra_stack_supervised", Kind.GAUGE, "Whether a supervisor runs, which restarts containers", STACK),
    Metric("orchestra_service_desired_containers", Kind.GAUGE, "Containers that the service should have", SERVICE),
    Metric("orchestra_service_running_containers", Kind.GAUGE, "Containers that run or are paused", SERVICE),
    Metric(
        "orchestra_stack_actions",
        Kind.COUNTER,
        "Actions of the supervisor that have ended, by what was done and how it ended: done, failed, or cancelled"
        " because something else was wanted",
        ("stack", "action", "outcome"),
    ),
    Metric(
        "orchestra_stack_convergence_seconds",
        Kind.SUMMARY,
        "Time from a command until everything was as it asked",
        STACK,
        "seconds",
    ),
    Metric(
        "orchestra_stack_last_convergence_seconds",
        Kind.GAUGE,
        "Time from the last such command until everything was as it asked",
        STACK,
        "seconds",
    ),
    Metric(
        "orchestra_stack_last_convergence_timestamp_seconds",
        Kind.GAUGE,
        "Unix time when that was so",
        STACK,
        "seconds",
    ),
    Metric(
        "orchestra_stack_failed_resources",
        Kind.GAUGE,
        "Resources that could not become as wanted by themselves, when the supervisor last had nothing left to do",
        STACK,
    ),
    Metric(
        "orchestra_container_state",
        Kind.GAUGE,
        "1 for the state that the container is in, 0 for the others",
        (*CONTAINER, "state"),
    ),
    Metric(
        "orchestra_container_health",
        Kind.GAUGE,
        "1 for what its health check has found, 0 for the others; only of running containers that have one",
        (*CONTAINER, "health"),
    ),
    Metric(
        "orchestra_container_start_time_seconds",
        Kind.GAUGE,
        "Unix time when the container was started last",
        CONTAINER,
        "seconds",
    ),
    Metric("orchestra_container_exit_code", Kind.GAUGE, "Exit code of a container that has ended", CONTAINER),
    Metric(
        "orchestra_container_restarts",
        Kind.COUNTER,
        "Starts by the restart policy since a command last asked for the container",
        CONTAINER,
    ),
    Metric(
        "orchestra_container_oom_kills",
        Kind.COUNTER,
        "How often the container ended because memory ran out",
        CONTAINER,
    ),
    Metric(
        "orchestra_container_cpu_usage_seconds",
        Kind.COUNTER,
        "Processor time that the container has used",
        CONTAINER,
        "seconds",
    ),
    Metric(
        "orchestra_container_memory_working_set_bytes",
        Kind.GAUGE,
        "Memory in use, without files that the kernel could drop at once",
        CONTAINER,
        "bytes",
    ),
    Metric(
        "orchestra_container_memory_limit_bytes",
        Kind.GAUGE,
        "The most memory that the container may use; the machine's if it has no limit",
        CONTAINER,
        "bytes",
    ),
    Metric(
        "orchestra_container_network_receive_bytes",
        Kind.COUNTER,
        "Bytes received by the container's own network; 0 in the host's",
        CONTAINER,
        "bytes",
    ),
    Metric(
        "orchestra_container_network_transmit_bytes",
        Kind.COUNTER,
        "Bytes sent by the container's own network; 0 in the host's",
        CONTAINER,
        "bytes",
    ),
    Metric(
        "orchestra_container_block_read_bytes",
        Kind.COUNTER,
        "Bytes read from block devices, where the kernel counts them",
        CONTAINER,
        "bytes",
    ),
    Metric(
        "orchestra_container_block_written_bytes",
        Kind.COUNTER,
        "Bytes written to block devices, where the kernel counts them",
        CONTAINER,
        "bytes",
    ),
    Metric("orchestra_container_processes", Kind.GAUGE, "Processes and threads in the container", CONTAINER),
    Metric("orchestra_scrape_cpu_seconds", Kind.GAUGE, "Processor time that reading these took", (), "seconds"),
)
