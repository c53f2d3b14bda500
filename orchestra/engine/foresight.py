"""What of an ``up`` would be refused, as far as it can be found out beforehand: for previews."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from orchestra.engine.driver import PortUnavailable
from orchestra.errors import EnvironmentLack, FatalError, TemporaryError
from orchestra.model.observed import Failure
from orchestra.plan.preview import preview

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
            continue  # something is missing that would be made first
        except (FatalError, EnvironmentLack) as error:
            at = max(now, desired.request.at)
            place = error.location if isinstance(error, PortUnavailable) else None
            failures[action.resource] = Failure(
                action.resource, action.verb, error.message, False, 1, at, error.hint, location=place
            )
    return replace(observed, failures=failures)
