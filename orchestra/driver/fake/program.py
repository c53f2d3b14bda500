"""How the programs in fake containers behave."""

from __future__ import annotations

from orchestra.record import Record


class Run(Record):
    """One run of a program; times in seconds since its start, None is never.

    healthy_from, unhealthy_from: when probes begin to succeed, and to fail again. stops_after: how long it takes to end
    after the stop signal; None ignores the signal.
    """

    exits_after: float | None = None
    exit_code: int = 0
    healthy_from: float | None = 0.0
    unhealthy_from: float | None = None
    stops_after: float | None = 0.0


class Program(Record):
    """runs: the first, second, … run of a container; the last one repeats. failing_hooks: first words of commands.

    The rest: seconds that driver calls take.
    """

    runs: tuple[Run, ...] = (Run(),)
    create_seconds: float = 0.0
    start_seconds: float = 0.0
    probe_seconds: float = 0.0
    hook_seconds: float = 0.0
    failing_hooks: tuple[str, ...] = ()

    def run(self, number: int) -> Run:
        """``number`` counts from 0."""
        return self.runs[min(number, len(self.runs) - 1)]


def one_shot(seconds: float = 1.0, exit_code: int = 0) -> Program:
    """A program that ends by itself."""
    return Program((Run(exits_after=seconds, exit_code=exit_code),))
