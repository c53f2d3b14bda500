"""Records one ``up`` and sends its trace, beside the command: nothing of it can make the command fail or wait long."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from orchestra.record import Record, replace

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import TracebackType

    from orchestra.model.event import Event
    from orchestra.model.request import Step
    from orchestra.model.result import UpResult
    from orchestra.stacks.up import Beginning
    from orchestra.traces.phases import Span

LIMIT = 2.0
"""Seconds that sending may take; at its end, the command waits at most as long."""


class Trace(Record):
    """stack: empty if the load failed. error: why the command failed; empty if it did not. Times are Unix seconds."""

    command: str
    began: float
    ended: float
    spans: tuple[Span, ...]
    stack: str = ""
    error: str = ""


class Recording:
    """Use ``with`` around the command. tell: called with a sentence if the trace could not be sent."""

    def __init__(self, environment: Mapping[str, str], command: str, tell: Callable[[str], None]) -> None:
        self._environment = environment
        self._command = command
        self._tell = tell
        self._began = time.time()
        self._steps: tuple[Step, ...] = ()
        self._stack = ""
        self._events: list[Event] = []
        self._ended = self._began
        self._error = self._problem = ""
        self._completed = threading.Event()
        self._sending = threading.Thread(target=self._send, name="trace", daemon=True)

    def watch(self, beginning: Beginning) -> Beginning:
        """The same, which tells this recording what happens."""
        self._steps, self._stack = beginning.steps, beginning.prepared.identity.stack
        self._start()
        return replace(beginning, witness=self)

    def hear(self, event: Event) -> None:
        self._events.append(event)

    def settle(self, result: UpResult) -> None:
        """Everything is running, or cannot run: the trace is complete, though the command may go on."""
        failures = "; ".join(f"{failure.resource}: {failure.error}" for failure in result.failures)
        self._complete(failures or ("not healthy in time" if result.timed_out else ""))

    def __enter__(self) -> Recording:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, error: BaseException | None, _traceback: TracebackType | None
    ) -> None:
        self._start()
        self._complete(str(error or "") or "interrupted")
        self._sending.join(LIMIT)
        if self._sending.is_alive():
            self._problem = f"no answer within {LIMIT:g} seconds"
        if self._problem:
            self._tell(self._problem)

    def _start(self) -> None:
        """Not earlier: a process with threads cannot enter the namespaces of a home. Imports go on beside the rest."""
        if self._sending.ident is None:
            self._sending.start()

    def _complete(self, error: str) -> None:
        """Only the first time."""
        if not self._completed.is_set():
            self._ended, self._error = time.time(), error
            self._completed.set()

    def _send(self) -> None:
        try:
            from orchestra.traces.export import export
        except ImportError as missing:
            self._problem = f"{missing}: pip install 'orchestra[traces]'"
            return
        self._completed.wait()
        from orchestra.rootless.host_network import in_host_network
        from orchestra.traces.phases import find_spans

        spans = tuple(find_spans(self._steps, tuple(self._events)))
        trace = Trace(self._command, self._began, self._ended, spans, self._stack, self._error)
        # Without root, this command works in the network of its home, which the receiver is not in.
        self._problem = in_host_network(export, trace, self._environment, LIMIT)
