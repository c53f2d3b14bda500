"""Containers that are removed with their anonymous volumes once they have ended for good. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestra.model.observed import Exited
from orchestra.model.wish import Goal
from orchestra.plan.desire import without_containers
from orchestra.plan.restart import next_run
from orchestra.record import replace

if TYPE_CHECKING:
    from orchestra.model.container import ContainerSpec
    from orchestra.model.desired import Desired
    from orchestra.model.observed import Observed


def without_ended(current: Desired, observed: Observed) -> Desired:
    """The same without those that have ended, and that neither a command nor their policy starts again."""
    names = [spec.name for spec in current.containers if spec.remove_when_ended and _is_over(current, observed, spec)]
    if not names:
        return current
    less = without_containers(current, names, ())
    return replace(less, request=replace(current.request, remove_anonymous=True))


def _is_over(current: Desired, observed: Observed, spec: ContainerSpec) -> bool:
    container = observed.containers.get(spec.name)
    if container is None or not isinstance(container.status, Exited):
        return False
    wish, ended = current.wish_of(spec), container.status
    if wish.rests:
        return True
    if wish.goal is Goal.RUN and (ended.stopped or ended.finished_at < wish.at):
        return False  # it is about to be started again
    return next_run(spec.restart, container, ended) is None
