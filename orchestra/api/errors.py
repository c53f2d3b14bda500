"""What goes wrong with a stack that a program has brought up."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestra.errors import OrchestraError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from orchestra.api.log import LogLine
    from orchestra.model.result import ReportedFailure


class StackError(OrchestraError):
    """A stack did not do what it was asked to. ``failures``: what could not be as it should, each with ``resource``,
    ``error`` and ``hint``. ``logs``: the last lines of the containers concerned.
    """

    def __init__(
        self, message: str, *, failures: Sequence[ReportedFailure] = (), logs: Sequence[LogLine] = (), hint: str = ""
    ) -> None:
        super().__init__(message, hint=hint)
        self.failures = tuple(failures)
        self.logs = tuple(logs)
        if self.logs:
            self.add_note("\n".join(["the last lines of the logs:", *map(str, self.logs)]))


class UpError(StackError):
    """A stack did not come up. ``timed_out``: it was still on its way when the time was over."""

    def __init__(
        self, message: str, *, failures: Sequence[ReportedFailure], logs: Sequence[LogLine], timed_out: bool
    ) -> None:
        super().__init__(message, failures=failures, logs=logs)
        self.timed_out = timed_out


class ExecError(OrchestraError):
    """A command in a container ended with an exit code that is not 0. ``stdout``, ``stderr``: its output."""

    def __init__(self, message: str, *, code: int, stdout: str, stderr: str) -> None:
        super().__init__(message)
        self.code = code
        self.stdout = stdout
        self.stderr = stderr
        if stderr:
            self.add_note(stderr.rstrip("\n"))
