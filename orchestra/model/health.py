"""What probes of a container have shown. Standard library only, and light: commands that show progress import it."""

from __future__ import annotations

from enum import StrEnum

from orchestra.record import Record
from orchestra.visible import visible

LINE = 200
"""How many characters of a line of output are shown."""


class HealthStatus(StrEnum):
    NONE = "none"
    STARTING = "starting"
    HEALTHY = "healthy"
    UNHEALTHY = "unhealthy"


class Health(Record):
    """What the probes of one run of a container have shown. ``failing_streak`` counts failures since a success.

    output and exit_code are those of the last probe; exit_code None: there was none, it was cut off at its timeout, or
    it could not be run.
    """

    status: HealthStatus = HealthStatus.NONE
    failing_streak: int = 0
    checked_at: float | None = None
    output: str = ""
    exit_code: int | None = None

    @property
    def failure(self) -> str:
        """The result of the last probe: ``connection refused (exit code 1)``; empty if nothing is known."""
        code = "" if self.exit_code is None else f"exit code {self.exit_code}"
        line = next((line.strip() for line in reversed(self.output.splitlines()) if line.strip()), "")
        line = visible(line)
        line = line if len(line) <= LINE else f"{line[: LINE - 3]}..."
        return f"{line} ({code})" if line and code else line or code


NOT_PROBED = Health()


class Probed(Record):
    """One probe. started_at, ended_at: Unix seconds; exit_code None: it was cut off, or could not be run."""

    started_at: float
    ended_at: float
    exit_code: int | None
    output: str
