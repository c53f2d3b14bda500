"""What follows a sync: restarts and commands, one at a time for each service.

A service that is still busy with an earlier one gets what has come meanwhile as one.
"""

from __future__ import annotations

import threading
from functools import partial

from orchestra.errors import OrchestraError
from orchestra.record import replace
from orchestra.stacks.watching.decide import After
from orchestra.stacks.watching.events import Trouble

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Protocol

    from orchestra.model.watch import WatchCommand
    from orchestra.stacks.watching.events import WatchEvent

    class Effects(Protocol):
        """Each returns when it is done, and raises OrchestraError or OSError."""

        def rebuild(self, service: str) -> None: ...

        def restart(self, services: Sequence[str]) -> None: ...

        def execute(self, service: str, command: WatchCommand) -> None: ...


class FollowUps:
    """Works in daemon threads, which do not keep the process from exiting."""

    def __init__(self, effects: Effects, tell: Callable[[WatchEvent], None]) -> None:
        self._effects = effects
        self._tell = tell
        self._lock = threading.Lock()
        self._busy: dict[str, After] = {}
        """Of each service that something is done for: what is to be done next."""

    def add(self, wanted: Mapping[str, After]) -> None:
        """Return at once."""
        ready: dict[str, After] = {}
        with self._lock:
            for service, after in wanted.items():
                if service in self._busy:
                    self._busy[service] |= after
                elif after:
                    self._busy[service] = After()
                    ready[service] = after
        self._begin(ready)

    def _begin(self, ready: Mapping[str, After]) -> None:
        """Services that restart do so in one request, so that dependents of several restart once."""
        restarting = {service: after for service, after in ready.items() if after.restart and not after.rebuild}
        if restarting:
            self._thread(lambda: self._restart(restarting))
        for service, after in ready.items():
            if after.rebuild:
                self._thread(partial(self._rebuild, service, after))
            elif not after.restart:
                self._run(service, after)

    def _rebuild(self, service: str, after: After) -> None:
        """The new container has started with the files, so it is not restarted; after a failure the old one is."""
        if self._attempt((service,), partial(self._effects.rebuild, service)):
            self._run(service, After(commands=after.commands))
        elif after.restart:
            self._restart({service: replace(after, rebuild=False)})
        else:
            self._run(service, After(commands=after.commands))

    def _restart(self, restarting: Mapping[str, After]) -> None:
        services = tuple(restarting)
        done = self._attempt(services, lambda: self._effects.restart(services))
        for service, after in restarting.items():
            self._run(service, replace(after, restart=False) if done else After())

    def _run(self, service: str, after: After) -> None:
        if not after.commands:
            self._finish(service)
            return

        def run() -> None:
            for command in after.commands:
                self._attempt((service,), partial(self._effects.execute, service, command))
            self._finish(service)

        self._thread(run)

    def _finish(self, service: str) -> None:
        with self._lock:
            after = self._busy.pop(service)
            if not after:
                return
            self._busy[service] = After()
        self._begin({service: after})

    def _attempt(self, services: Sequence[str], act: Callable[[], None]) -> bool:
        try:
            act()
        except (OrchestraError, OSError) as error:
            for service in services:
                self._tell(Trouble(service, str(error)))
            return False
        return True

    @staticmethod
    def _thread(run: Callable[[], None]) -> None:
        threading.Thread(target=run, name="after a sync", daemon=True).start()
