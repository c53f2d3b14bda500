"""Progress of a command on standard error: plain lines, JSON lines, nothing, or live on a terminal."""

from __future__ import annotations

import json
import sys

from orchestra.cli.render.words import Step, await_step, describe, subject_of
from orchestra.model.event import ActionEvent, BlockedEvent, ContainerEvent, PullEvent, SkippedEvent
from orchestra.model.resource import Kind, ResourceId
from orchestra.record import replace
from orchestra.visible import visible

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterable
    from typing import Any, TextIO

    from orchestra.model.event import Awaited, Event
    from orchestra.model.result import ContainerState


_RESTART = "to be restarted"


class Quiet:
    """Shows nothing; subclasses add output. Used as a context, which finishes any drawing at its end.

    redraws: it owns the screen, so nothing else may be written meanwhile. hides_images: pulling is not shown.
    waits: the command waits until containers are healthy, even if no other container depends on that. services:
    those that the command affects; empty for all. restarts: the command restarts containers, which is one step of each.
    to_stdout: written there instead of to standard error.
    """

    redraws = False
    hides_images = False
    waits = False
    services: Collection[str] = ()
    restarts = False
    to_stdout = False

    def __init__(self) -> None:
        self._touched: dict[ResourceId, Step] = {}
        self._healthy: set[ResourceId] = set()
        self._awaited: dict[ResourceId, str] = {}
        self._before: dict[ResourceId, Step] = {}
        self._replaced: set[ResourceId] = set()
        self._restarting: set[ResourceId] = set()
        self._leaving: set[ResourceId] = set()
        self._held: list[Step] = []

    def __enter__(self) -> Quiet:
        return self

    def __exit__(self, *_exception: object) -> None:
        self._release()

    @property
    def stream(self) -> TextIO:
        return sys.stdout if self.to_stdout else sys.stderr

    def hear(self, event: Event) -> None:
        if isinstance(event, PullEvent):
            self._measure(event.resource, event.fetched, event.total)
            return
        if isinstance(event, SkippedEvent):
            self._show(Step(event.resource, subject_of(event.resource), f"Skipped - {event.reason}", "done"))
            return
        if isinstance(event, BlockedEvent):
            self._await(event.awaited)
            return
        step = describe(event)
        if isinstance(event, ActionEvent) and step is not None:
            step = self._as_replacement(event, step)
        if self.restarts and step is not None:
            step = self._as_restart(step)
        if step is None or not self._concerns(event, step):
            return
        self._touched[step.resource] = step
        if step.text == "Healthy":
            if step.resource in self._healthy:
                return
            self._healthy.add(step.resource)
        if not (self.hides_images and step.resource.kind is Kind.IMAGE):
            self._show_in_order(step)

    def _show_in_order(self, step: Step) -> None:
        """Networks are removed while the last containers still are; as in Docker Compose, they are shown after them."""
        is_known = any(held.resource == step.resource for held in self._held)
        leaves = step.resource.kind is Kind.NETWORK and step.text == "Removing" and self._leaving
        if leaves or is_known:
            self._held.append(step)
            return
        if step.resource.kind is Kind.CONTAINER:
            change = self._leaving.add if step.text in ("Stopping", "Removing") else self._leaving.discard
            change(step.resource)
        self._show(step)
        if not self._leaving:
            self._release()

    def _release(self) -> None:
        held, self._held = self._held, []
        for step in held:
            self._show(step)

    def _as_replacement(self, event: ActionEvent, step: Step) -> Step | None:
        """As in Docker Compose, a replacement is one row: ``Recreate`` at its first step, ``Recreated`` at its end."""
        resource, known = step.resource, step.resource in self._replaced
        if not event.replaces and not (known and event.verb == "create"):
            return step
        if step.state == "error":
            self._replaced.discard(resource)
            return step
        if event.replaces:
            self._replaced.add(resource)
            return None if known else replace(step, text="Recreate", state="working")
        if step.state == "working":
            return None
        self._replaced.discard(resource)
        return replace(step, text="Recreated")

    def _as_restart(self, step: Step) -> Step | None:
        """As in Docker Compose, a restart is one row: ``Restarting``, then ``Started``."""
        if step.text in ("Stopping", "Starting"):
            if step.resource in self._restarting:
                return None
            self._restarting.add(step.resource)
            return replace(step, text="Restarting")
        if step.resource in self._restarting and step.text.partition(" ")[0] in ("Stopped", "Exited"):
            return None
        self._restarting.discard(step.resource)
        return step

    def _concerns(self, event: Event, step: Step) -> bool:
        """Whether a change that a container made by itself concerns the command."""
        if self.services and getattr(event, "service", "") not in (*self.services, ""):
            return False
        if isinstance(event, ContainerEvent):
            return self.waits or step.resource in self._awaited
        return step.text != "Waiting" or self.waits

    def _await(self, rows: Iterable[Awaited]) -> None:
        """Show awaited containers; one that restarts by its policy only if something else needs it."""
        awaited: dict[ResourceId, str] = {}
        for row in rows:
            if self.services and row.service not in (*self.services, ""):
                continue
            if row.what == _RESTART and self.restarts:
                continue
            if row.resource != row.by or row.what.startswith("to be tried") or self.waits:
                awaited.setdefault(row.resource, row.what)
        for resource in self._awaited.keys() - awaited.keys():
            step = self._touched.get(resource)
            if step is not None and step.text == "Waiting" and not self.waits:
                before = self._before.get(resource) or Step(resource, step.subject, "Running", "done")
                self._touched[resource] = before
                self._restore(before)
        for resource, what in awaited.items():
            if self._awaited.get(resource) != what:
                if (step := self._touched.get(resource)) and step.text != "Waiting":
                    self._before[resource] = step
                self._touched[resource] = step = await_step(resource, what)
                if not (self.hides_images and resource.kind is Kind.IMAGE):
                    self._show(step)
        self._awaited = awaited

    @property
    def is_making(self) -> bool:
        """Whether a resource that containers need to start is still being fetched or created."""
        return any(step.text in ("Pulling", "Creating", "Recreate") for step in self._touched.values())

    def settle(self, containers: Iterable[ContainerState]) -> None:
        """Show containers as listed in the result of ``up``, including those that nothing happened to.

        A container that was ``Starting`` when the result came has started, even if its last event has not arrived yet;
        one that was ``Waiting`` has the state in the result.
        """
        for container in containers:
            resource = ResourceId.container(container.name)
            state = container.state
            step = self._touched.get(resource)
            if step is None:
                self._show(Step(resource, subject_of(resource), state.capitalize(), "done"))
            elif step.text in ("Starting", "Restarting") and state in ("running", "exited"):
                self._touched[resource] = step = replace(step, text="Started", state="done")
                self._show(step)
            elif step.text == "Waiting" and step.note != _RESTART and state in ("running", "exited"):
                text = {"healthy": "Healthy", "exited": "Exited"}.get(container.health if state == "running" else state)
                self._touched[resource] = step = replace(step, text=text or "Started", state="done", note="")
                self._show(step)

    def tell(self, container: str, text: str) -> None:
        """Show what was done to a container if there is no event for it."""
        resource = ResourceId.container(container)
        self._show(Step(resource, subject_of(resource), text, "done"))

    def conclude(self, working: str, done: str, containers: Iterable[str] = ()) -> None:
        """Show ``working`` resources as ``done`` after the result, even if their last events have not arrived yet.

        containers: those that are ``done`` by the result, also if nothing happened to them.
        """
        for resource, step in self._touched.items():
            if step.text == working:
                self._touched[resource] = step = replace(step, text=done, state="done")
                self._show(step)
        for name in containers:
            known = self._touched.get(ResourceId.container(name))
            if known is None or known.text != done:
                self.tell(name, done)

    def _show(self, step: Step) -> None:
        return None

    def _restore(self, step: Step) -> None:
        """Show the earlier state of a resource that is no longer awaited."""
        return None

    def _measure(self, resource: ResourceId, fetched: int, total: int) -> None:
        """Show the bytes of an image that is being pulled."""
        return None


class Plain(Quiet):
    """`` Container stack-web-1 Started``, `` Container stack-db-1 Waiting to be healthy``"""

    def _show(self, step: Step) -> None:
        colon = ":" if step.note and step.state == "error" else ""
        print(visible(f" {step.subject} {step.text}{colon} {step.note}".rstrip()), file=self.stream, flush=True)


class Awaiting(Plain):
    """Beside logs, shows only what is awaited and how that ends."""

    def __init__(self) -> None:
        super().__init__()
        self._told: set[ResourceId] = set()

    def _show(self, step: Step) -> None:
        if step.text == "Waiting":
            self._told.add(step.resource)
        elif step.resource in self._told:
            self._told.discard(step.resource)
        else:
            return
        super()._show(step)


class JsonLines(Quiet):
    """{"id", "status": working, done or error, "text", "details"?}, for a pull also {"current", "total", "percent"}."""

    def _show(self, step: Step) -> None:
        line = {"id": step.subject, "status": step.state, "text": step.text}
        if details := step.detail or step.note:
            line["details"] = details
        self._print(line)

    def _measure(self, resource: ResourceId, fetched: int, total: int) -> None:
        if not self.hides_images:
            numbers = {"current": fetched, "total": total, "percent": 100 * fetched // total if total else 100}
            self._print({"id": subject_of(resource), "status": "working", "text": "Pulling", **numbers})

    def _print(self, line: dict[str, Any]) -> None:
        print(json.dumps(line, separators=(",", ":")), file=self.stream, flush=True)
