"""What ``up`` or ``down`` would do, and why: alternates planning and predicting until nothing is left to do.

Between two rounds the preview assumes the best where it cannot know: programs become healthy, and one-off jobs that
something waits for exit with 0. ``orchestra plan`` prints the text form, and tests compare it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestra.errors import UserError
from orchestra.model.container import Condition
from orchestra.model.health import HealthStatus
from orchestra.model.observed import Exited, Running
from orchestra.plan.action import CheckContainer, CreateContainer, StartContainer
from orchestra.plan.plan import Blocked, Failed, plan
from orchestra.plan.predict import predict_all
from orchestra.plan.stand_ins import with_stand_ins
from orchestra.record import Record, replace

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from orchestra.model.desired import Desired
    from orchestra.model.observed import Container, Observed
    from orchestra.model.resource import ResourceId
    from orchestra.plan.action import Action


VERB_WIDTH = 6
SHOWN = 3
"""Actions of each kind that are named when a plan has become another one."""


class Preview(Record):
    """rounds: actions that may run together, round after round. observed: the world they lead to.

    blocked and failed: what remains at the end. checks: for each container that would be created or replaced, the
    action that checks beforehand whether this is possible.
    """

    rounds: tuple[tuple[Action, ...], ...]
    blocked: tuple[Blocked, ...]
    failed: tuple[Failed, ...]
    observed: Observed
    checks: tuple[CheckContainer | CreateContainer, ...] = ()

    @property
    def changes(self) -> bool:
        return bool(self.rounds)


TICK = 0.001
"""Seconds between two rounds: long enough that resources of a later round are newer than those of an earlier one."""


def preview(desired: Desired, observed: Observed, now: float) -> Preview:
    """All actions from here on, if each one succeeds.

    ``now``: Unix seconds; if the previewed command has a later time, that one counts.
    """
    now = max(now, desired.request.at, *(wish.at for wish in desired.wishes.values()))
    rounds: list[tuple[Action, ...]] = []
    checks: dict[ResourceId, CheckContainer | CreateContainer] = {}
    asked = desired
    while True:
        desired = with_stand_ins(asked, observed, now)
        step = plan(desired, observed, {}, now)
        if step.ready:
            for action in step.ready:
                if isinstance(action, (CheckContainer, CreateContainer)):
                    checks.setdefault(action.resource, action)
            changes = tuple(action for action in step.ready if not isinstance(action, CheckContainer))
            rounds += [changes] if changes else []
            observed = predict_all(observed, step.ready, now)
        hoped = assume_the_best(desired, observed, now)
        if step.ready or hoped is not observed:
            now += TICK
        elif step.wake_at is not None:
            now = max(step.wake_at, now + TICK)
        else:
            if all(_is_restart(action) for actions in rounds for action in actions):
                rounds = []  # restarts by policy happen without a command, sooner or later
            return Preview(tuple(rounds), step.blocked, step.failed, observed, tuple(checks.values()))
        observed = hoped


def _is_restart(action: Action) -> bool:
    """Whether a restart policy causes the action."""
    return isinstance(action, StartContainer) and action.restarts > 0


def assume_the_best(desired: Desired, observed: Observed, now: float) -> Observed:
    """A world (the same object if nothing changes) in which probes passed and awaited one-off jobs completed.

    Assumes that an image not seen yet has the health check that a dependent waits for.
    """
    awaited = _waited_for(desired, Condition.COMPLETED)
    trusted = _waited_for(desired, Condition.HEALTHY)
    changed: dict[str, Container] = {}
    for spec in desired.of_services:
        container = observed.containers.get(spec.name)
        if container is None or not isinstance(container.status, Running):
            continue
        running = container.status
        if spec.service in awaited:
            changed[spec.name] = replace(container, status=Exited(0, running.started_at, now))
        elif running.health.status in (HealthStatus.NONE, HealthStatus.STARTING):
            unknown = not container.image_digest and not spec.healthcheck_disabled
            if container.healthcheck is not None or (unknown and spec.service in trusted):
                health = replace(running.health, status=HealthStatus.HEALTHY)
                changed[spec.name] = replace(container, status=replace(running, health=health))
    for init in (init for spec in desired.of_services for init in spec.pre_start):
        container = observed.containers.get(init.name)
        if container is not None and isinstance(container.status, Running):
            changed[init.name] = replace(container, status=Exited(0, container.status.started_at, now))
    return replace(observed, containers={**observed.containers, **changed}) if changed else observed


def _waited_for(desired: Desired, condition: Condition) -> frozenset[str]:
    """Services that another one needs to reach this condition."""
    return frozenset(
        dependency.service
        for spec in desired.containers
        for dependency in spec.depends_on
        if dependency.condition is condition
    )


def describe_actions(preview: Preview) -> tuple[str, ...]:
    """Every action in its order, with its reason, in one line each."""
    return tuple(f"{a.verb} {a.resource}  {a.reason}" for actions in preview.rounds for a in actions)


def check_reviewed(stack: str, reviewed: Sequence[str], preview: Preview) -> None:
    """Raises UserError if not exactly these actions are planned. reviewed: as ``describe_actions`` has them."""
    planned = describe_actions(preview)
    if planned == tuple(reviewed):
        return
    gone = [action for action in reviewed if action not in planned]
    new = [action for action in planned if action not in reviewed]
    moved = [f"{_first(gone)} not any more"] * bool(gone) + [f"{_first(new)} in addition"] * bool(new)
    raise UserError(
        f"stack {stack} is not as it was when the plan was made: {' and '.join(moved) or 'in another order'}",
        hint="run orchestra plan again, and look at what it says now",
    )


def _first(actions: Sequence[str]) -> str:
    more = f", and {len(actions) - SHOWN} others" if len(actions) > SHOWN else ""
    return ", ".join(action.partition("  ")[0] for action in actions[:SHOWN]) + more


def render_text(preview: Preview) -> str:
    """One line per action under its round's number, then what remains; ends with a newline."""
    if not (preview.rounds or preview.blocked or preview.failed):
        return "nothing to do\n"
    planned = [action for actions in preview.rounds for action in actions]
    width = max((len(str(action.resource)) for action in planned), default=0)
    verbs = max((len(action.verb) for action in planned), default=0)
    lines: list[str] = []
    for number, actions in enumerate(preview.rounds, 1):
        for position, action in enumerate(actions):
            label = f"{number}." if position == 0 else ""
            lines.append(f"{label:4}{action.verb:{max(verbs, VERB_WIDTH)}} {action.resource:{width}}  {action.reason}")
    if not preview.rounds:
        lines.append("nothing to do")
    failed = {failure.resource for failure in preview.failed}
    lines += [f"blocked  {b.resource}  {b.reason}" for b in preview.blocked if b.resource not in failed]
    lines += [f"failed   {f.resource}  {f.error}" for f in preview.failed]
    return "\n".join(lines) + "\n"


def render_data(preview: Preview) -> dict[str, Any]:
    """The same as JSON-able data: ``rounds`` is empty when there is nothing to do."""
    return {
        "rounds": [
            [{"verb": a.verb, "resource": str(a.resource), "reason": a.reason} for a in actions]
            for actions in preview.rounds
        ],
        "blocked": [
            {"resource": str(b.resource), "reason": b.reason, "waits_for": list(map(str, b.waits_for))}
            for b in preview.blocked
        ],
        "failed": [{"resource": str(f.resource), "error": f.error, "hint": f.hint} for f in preview.failed],
    }
