"""For previews: finds what would fail in an ``up``, as far as that can be known beforehand."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestra.engine.driver import failure_of
from orchestra.errors import EnvironmentLack, FatalError, TemporaryError
from orchestra.plan.preview import preview
from orchestra.record import replace

if TYPE_CHECKING:
    from orchestra.engine.driver import Driver
    from orchestra.model.desired import Desired
    from orchestra.model.observed import Observed


async def with_foreseen_failures(driver: Driver, desired: Desired, observed: Observed, now: float) -> Observed:
    """``observed`` as if every creation and replacement that cannot succeed had failed already."""
    failures = dict(observed.failures)
    for action in preview(desired, observed, now).checks:
        if not action.image_digest:
            continue  # the image is not here yet
        try:
            await driver.check(action.spec, action.image_digest, settled=False)
        except TemporaryError:
            continue  # something is missing that would be created first
        except (FatalError, EnvironmentLack) as error:
            at = max(now, desired.request.at)
            failures[action.resource] = failure_of(action.resource, action.verb, error, 1, at)
    return replace(observed, failures=failures)
