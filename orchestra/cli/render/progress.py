"""Progress of a command, on standard error: plain lines, JSON lines, nothing, or live on a terminal."""

from __future__ import annotations

import json
import sys

from orchestra.cli.render.words import describe, subject_of
from orchestra.visible import visible

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from orchestra.cli.invocation import Invocation
    from orchestra.cli.render.words import Step


class Quiet:
    """Shows nothing; the others add to it. Used as a context: whatever is drawn is finished at its end.

    redraws: it has the screen for itself, so nothing else may be written meanwhile. hides_images: pulling is not shown.
    """

    redraws = False
    hides_images = False

    def __init__(self) -> None:
        self._touched: dict[str, Step] = {}
        self._healthy: set[str] = set()

    def __enter__(self) -> Quiet:
        return self

    def __exit__(self, *_exception: object) -> None:
        return None

    def hear(self, event: dict[str, Any]) -> None:
        """Take in one event of the control socket."""
        if event["kind"] == "PullEvent":
            self._measure(event["resource"], event["fetched"], event["total"])
            return
        step = describe(event)
        if step is None:
            return
        self._touched[step.resource] = step
        if step.text == "Healthy":
            if step.resource in self._healthy:
                return
            self._healthy.add(step.resource)
        if not (self.hides_images and step.resource.startswith("image/")):
            self._show(step)

    def skip(self, resource: str, reason: str) -> None:
        """Say why nothing is done about it."""
        from orchestra.cli.render.words import Step

        self._show(Step(resource, subject_of(resource), f"Skipped - {reason}", "done"))

    @property
    def is_making(self) -> bool:
        """Whether something that containers are started from is still being fetched or made."""
        return any(step.text in ("Pulling", "Creating") for step in self._touched.values())

    def settle(self, containers: list[dict[str, str]]) -> None:
        """Containers as the result of ``up`` lists them: those that nothing happened to are named too.

        One that was ``Starting`` when the result came has started by now, though its last event is still on its way.
        """
        from orchestra.cli.render.words import Step

        for container in containers:
            resource = f"container/{container['name']}"
            state = container["state"]
            step = self._touched.get(resource)
            if step is None:
                self._show(Step(resource, subject_of(resource), state.capitalize(), "done"))
            elif step.text == "Starting" and state in ("running", "exited"):
                self._touched[resource] = step = step._replace(text="Started", state="done")
                self._show(step)

    def conclude(self, working: str, done: str) -> None:
        """What was ``working`` when the result came is ``done`` by now, though its last event is still on its way."""
        for resource, step in self._touched.items():
            if step.text == working:
                self._touched[resource] = step = step._replace(text=done, state="done")
                self._show(step)

    def _show(self, step: Step) -> None:
        return None

    def _measure(self, resource: str, fetched: int, total: int) -> None:
        """Bytes of an image that is being pulled."""
        return None


class Plain(Quiet):
    """`` Container stack-web-1  Started``"""

    def _show(self, step: Step) -> None:
        print(visible(f" {step.subject}  {step.text}"), file=sys.stderr, flush=True)


class JsonLines(Quiet):
    """{"id", "status": working, done or error, "text", "details"?}, of a pull also {"current", "total", "percent"}."""

    def _show(self, step: Step) -> None:
        line = {"id": step.subject, "status": step.state, "text": step.text}
        if step.detail:
            line["details"] = step.detail
        self._print(line)

    def _measure(self, resource: str, fetched: int, total: int) -> None:
        if not self.hides_images:
            numbers = {"current": fetched, "total": total, "percent": 100 * fetched // total if total else 100}
            self._print({"id": subject_of(resource), "status": "working", "text": "Pulling", **numbers})

    def _print(self, line: dict[str, Any]) -> None:
        print(json.dumps(line), file=sys.stderr, flush=True)


def open_progress(invocation: Invocation) -> Quiet:
    """By ``--progress``; ``auto`` is live on a terminal that may move the cursor, plain otherwise."""
    progress = _progress_of(invocation)
    progress.hides_images = bool(invocation.values.get("quiet_pull"))
    return progress


def _progress_of(invocation: Invocation) -> Quiet:
    mode = invocation.shared["progress"]
    if mode == "auto":
        mode = "tty" if sys.stderr.isatty() and invocation.shared["ansi"] != "never" else "plain"
    match mode:
        case "tty":
            from orchestra.cli.render.live import Live

            return Live(color=invocation.colors(sys.stderr))
        case "json":
            return JsonLines()
        case "quiet":
            return Quiet()
        case _:
            return Plain()
