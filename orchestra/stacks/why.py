"""``why``: what keeps services from being as they should be, with the evidence."""

from __future__ import annotations

import time
from contextlib import suppress
from functools import partial

from orchestra.control.revisions import load_definition, load_revisions
from orchestra.driver import Part
from orchestra.errors import FatalError
from orchestra.model.observation import ObserveResult
from orchestra.model.observed import Running
from orchestra.model.request import ObserveRequest
from orchestra.plan.causes import Cause, Evidence, Explainer
from orchestra.plan.revision import compare
from orchestra.record import Record, replace
from orchestra.stacks.containers import check_known, find_stack

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from orchestra.home import StackHome
    from orchestra.model.observed import Container
    from orchestra.stacks.context import Context

__all__ = ["Cause", "Explanation", "why"]

LOG_LINES = 50
"""Lines from the end of a log in which a cause is looked for."""
CHANGES_SHOWN = 5


class Explanation(Record):
    """causes: from the service to the first cause. wrong: whether there is something to explain."""

    service: str
    causes: list[Cause]

    @property
    def wrong(self) -> bool:
        return self.causes[-1].wrong


def why(context: Context, services: Sequence[str] = ()) -> list[Explanation]:
    """services: empty for all that are not as they should be.

    Raises the errors of a load, UserError for an unknown service, FatalError for a damaged file, and EnvironmentLack
    without permission.
    """
    context.need_privileges()
    known = find_stack(context)
    seen = context.client(known.stack).ask_if_running(ObserveResult, ObserveRequest())
    if seen is None:
        from orchestra.control.look import look_as_it_is

        seen = look_as_it_is(context.home, known.stack, context.driver)
    declared = (*seen.desired.services, *(known.services or ()))
    check_known(services, declared, (container.service for container in seen.observed.containers.values()))
    look = partial(_gather, context, context.home.stack(known.stack))
    observed = replace(seen.observed, failures=seen.failures)
    explainer = Explainer(seen.desired, observed, time.time(), look)
    found = [Explanation(service, explainer.explain(service)) for service in services or dict.fromkeys(declared)]
    return found if services else [each for each in found if each.wrong]


def _gather(context: Context, home: StackHome, container: Container) -> Evidence:
    evidence = Evidence(changed=_last_change(home, container.name))
    if not context.offers(Part.FILES):
        return evidence
    memory, throttled = _burden(home, container) if isinstance(container.status, Running) else (0.0, 0.0)
    return replace(evidence, log=_last_lines(home, container.name), memory=memory, throttled=throttled)


def _last_lines(home: StackHome, name: str) -> tuple[str, ...]:
    from orchestra.driver.local.logs import LogCursor

    cursor = LogCursor(f"{home.logs}/{name}.log")
    try:
        return tuple(line.text.decode(errors="replace").rstrip() for line in cursor.tail(LOG_LINES))
    finally:
        cursor.close()


def _burden(home: StackHome, container: Container) -> tuple[float, float]:
    """The shares of ``Evidence``: of the memory in use, and of the periods in which it was held back."""
    from orchestra.driver.local.usage import find_group, measure
    from orchestra.linux.cgroup.stats import load_stats

    assert isinstance(container.status, Running)
    with suppress(OSError):  # it has just ended
        group = find_group(home, container.name)
        usage, throttling = measure(group, container.status.pid), load_stats(group)["cpu"]["throttling"]
        periods = throttling["periods"]
        memory = usage.memory / usage.memory_limit if usage.memory_limit else 0.0
        return memory, throttling["throttledPeriods"] / periods if periods else 0.0
    return 0.0, 0.0


def _last_change(home: StackHome, name: str) -> tuple[str, ...]:
    """What the last revision that changed this container has changed; nothing for the one that added it."""
    with suppress(FatalError, PermissionError):
        revisions = load_revisions(home)
        for before, revision in zip(reversed(revisions[:-1]), reversed(revisions[1:]), strict=True):
            if f"{name} changed" not in revision.changed:
                continue
            old, new = load_definition(home, before.number), load_definition(home, revision.number)
            changes = [str(each) for one in compare(old, new) if one.resource.name == name for each in one.changes]
            author = revision.author
            head = f"revision {revision.number} ({author.user}: {author.command}) changed it"
            return (head, *changes[:CHANGES_SHOWN], *(["..."] if len(changes) > CHANGES_SHOWN else []))
    return ()
