"""``watch``: bring changed files into containers, and restart or rebuild services, until told to stop."""

from __future__ import annotations

import threading

from orchestra.errors import OrchestraError
from orchestra.model.event import ContainerEvent, SnapshotEvent
from orchestra.model.observed import Exited, Running
from orchestra.stacks.containers import observe_containers
from orchestra.stacks.events import Span, follow_events
from orchestra.stacks.life_cycle import RestartOptions, restart
from orchestra.stacks.watching.decide import decide
from orchestra.stacks.watching.deliver import deliver
from orchestra.stacks.watching.events import Building, Rebuilding, Rebuilt, Restarted, Syncing, Trouble, WatchEnabled
from orchestra.stacks.watching.execute import execute
from orchestra.stacks.watching.follow_up import FollowUps
from orchestra.stacks.watching.notices import Notices
from orchestra.stacks.watching.rebuild import rebuild
from orchestra.stacks.watching.rules import WatchOptions, find_rules, open_rule
from orchestra.stacks.watching.tree import Changes

__all__ = ["Stop", "Watch", "WatchOptions", "find_rules"]

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from orchestra.model.event import Event
    from orchestra.model.observed import Container
    from orchestra.model.watch import WatchCommand, WatchRules
    from orchestra.stacks.context import Context
    from orchestra.stacks.watching.decide import After
    from orchestra.stacks.watching.deliver import Watched
    from orchestra.stacks.watching.events import WatchEvent


class Stop:
    """Ends a watch, from another thread."""

    def __init__(self) -> None:
        self._stopped = threading.Event()
        self._notices: Notices | None = None

    def listen(self, notices: Notices) -> None:
        """Wake these when the watch is to end."""
        self._notices = notices

    def stop(self) -> None:
        self._stopped.set()
        if self._notices is not None:
            self._notices.wake()

    @property
    def is_stopped(self) -> bool:
        return self._stopped.is_set()


class Watch:
    """tell: called from several threads, with everything that happens."""

    def __init__(
        self, context: Context, found: WatchRules, tell: Callable[[WatchEvent], None], *, prune: bool = True
    ) -> None:
        """prune: see ``WatchOptions``. Raises ComposeError for a pattern that is not valid."""
        self._context = context
        self._prune = prune
        self._stack = found.stack
        self._home = context.home.stack(found.stack)
        self._tell = tell
        self._told: set[str] = set()
        self._has_new = threading.Event()
        """A container has started, perhaps one that was made meanwhile."""
        self._filled: dict[str, list[Container]] = {}
        self._stale = threading.Event()
        """What is known of the containers is not true any more."""
        self._mounted = [rule for rule in found.rules if rule.is_mounted]
        self._watched = [open_rule(rule) for rule in found.rules if not rule.is_mounted]
        self._services = list(dict.fromkeys(each.rule.service for each in self._watched))
        self._after = FollowUps(self, tell)

    def run(self, stop: Stop) -> None:
        """Until it is stopped. Raises EnvironmentLack if the kernel allows no more watches."""
        for rule in self._mounted:
            text = f"path '{rule.path}' also declared by a bind mount volume, this path won't be monitored!"
            self._tell(Trouble(rule.service, text))
        with Notices() as notices:
            for each in self._watched:
                each.tree.look()
            self._settle(notices)
            self._begin()
            self._tell(WatchEnabled(len(self._watched)))
            stop.listen(notices)
            threading.Thread(target=self._listen, args=(stop, notices), name="new containers", daemon=True).start()
            while not stop.is_stopped:
                found = notices.wait()
                changes = {each: each.tree.update(found) for each in self._watched} if found else {}
                if self._has_new.is_set():
                    self._has_new.clear()
                    self._renew()
                for each, more in self._settle(notices).items():
                    before = changes.get(each, Changes())
                    changes[each] = Changes(before.removed, before.changed | more)
                self._work({each: one for each, one in changes.items() if one})

    def rebuild(self, service: str) -> None:
        """Raises OrchestraError."""
        self._tell(Rebuilding(service))
        rebuild(self._context, service, lambda event: self._tell(Building(service, event)), prune=self._prune)
        self._tell(Rebuilt(service))

    def restart(self, services: Sequence[str]) -> None:
        """Those that run, or have ended by themselves. Raises OrchestraError."""
        containers = self._containers()
        chosen = tuple(service for service in services if any(map(_may_restart, containers.get(service, ()))))
        for service in services:
            if service not in chosen:
                self._tell(Trouble(service, "it is not running, so it is not restarted"))
        if not chosen:
            return
        failures = restart(self._context, RestartOptions(chosen)).failures
        for failure in failures:
            self._tell(Trouble("", f"{failure.resource}: {failure.error}"))
        if not failures:
            self._tell(Restarted(chosen))

    def execute(self, service: str, command: WatchCommand) -> None:
        """In each running container. Raises OrchestraError if it cannot be executed."""
        running = [each for each in self._containers().get(service, ()) if isinstance(each.status, Running)]
        if not running:
            self._tell(Trouble(service, f"it is not running, so {command.command[0]} is not executed"))
        for container in running:
            execute(self._context, container, command, self._tell)

    def _containers(self) -> dict[str, list[Container]]:
        """Those of the services, without those of one-off commands and those whose creation failed."""
        found: dict[str, list[Container]] = {}
        for container in observe_containers(self._context, self._stack):
            if container.config_hash and not container.one_off:
                found.setdefault(container.service, []).append(container)
        return found

    def _observe_filled(self) -> dict[str, list[Container]]:
        """Those that have run. Others get the files when they start, since they may not be complete yet."""
        return {
            service: [container for container in containers if isinstance(container.status, (Running, Exited))]
            for service, containers in self._containers().items()
        }

    def _settle(self, notices: Notices) -> dict[Watched, frozenset[str]]:
        """Watch all directories; return what was found in them meanwhile."""
        found: dict[Watched, frozenset[str]] = {}
        while any(each.tree.is_fresh for each in self._watched):
            directories = [path for each in self._watched for path in each.tree.directories]
            if not notices.watch(directories):
                for each in self._watched:
                    each.tree.drop_missing()
                continue
            for each in self._watched:
                found[each] = found.get(each, frozenset()) | each.tree.settle()
        for each in self._watched:
            for path in sorted(each.tree.unreadable - self._told):
                self._told.add(path)
                self._tell(Trouble(each.rule.service, f"{path} cannot be read, so it is not watched"))
        return found

    def _begin(self) -> None:
        """Existing containers hold what the host holds, or get it now if the rule says so."""
        self._filled = self._observe_filled()
        for each in self._watched:
            if not each.rule.initial_sync:
                each.serve(self._filled.get(each.rule.service, ()))
        self._renew()

    def _renew(self) -> None:
        """Bring containers that have come meanwhile up to date."""
        self._stale.clear()
        self._filled = self._observe_filled()
        for service in self._services:
            syncing = [each for each in self._watched if each.rule.service == service and each.rule.action.syncs]
            filled = self._filled.get(service, ())
            late = [each for each in filled if not all(watched.is_served(each) for watched in syncing)]
            if late and deliver(self._home, service, late, dict.fromkeys(syncing, Changes()), self._tell):
                touched = [watched.rule for watched in syncing if watched.touched]
                works = decide((rule, Changes(changed=frozenset(("",)))) for rule in touched)
                self._after.add({work.service: work.after for work in works})

    def _work(self, changes: dict[Watched, Changes]) -> None:
        rules = {id(each.rule): each for each in changes}
        if changes and self._stale.is_set():
            self._stale.clear()
            self._filled = self._observe_filled()
        after: dict[str, After] = {}
        for work in decide((each.rule, found) for each, found in changes.items()):
            if work.syncs:
                self._tell(Syncing(work.service, work.paths))
                syncs = {rules[id(sync.rule)]: sync.changes for sync in work.syncs}
                deliver(self._home, work.service, self._filled.get(work.service, ()), syncs, self._tell)
            after[work.service] = work.after
        self._after.add(after)

    def _listen(self, stop: Stop, notices: Notices) -> None:
        """Wake the watch when a container starts, as long as it goes on."""

        def hear(event: Event) -> None:
            if stop.is_stopped:
                raise _Over
            if isinstance(event, (ContainerEvent, SnapshotEvent)):
                self._stale.set()
            if isinstance(event, SnapshotEvent) or (isinstance(event, ContainerEvent) and event.change == "started"):
                self._has_new.set()
                notices.wake()

        try:
            follow_events(self._context, self._services, Span(), hear)
        except _Over:
            return
        except (OrchestraError, OSError) as error:
            self._tell(Trouble("", f"new containers are not noticed any more: {error}"))


class _Over(Exception):
    """The watch has ended."""


def _may_restart(container: Container) -> bool:
    """Not if a command has stopped it, which only a command should end."""
    status = container.status
    return isinstance(status, Running) or (isinstance(status, Exited) and not status.stopped)
