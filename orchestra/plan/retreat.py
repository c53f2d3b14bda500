"""What stays wanted after an ``up`` that failed."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from orchestra.state.observed import Created

if TYPE_CHECKING:
    from collections.abc import Collection

    from orchestra.state.desired import Desired
    from orchestra.state.observed import Observed


def without_failed(desired: Desired, observed: Observed, services: Collection[str] = ()) -> Desired:
    """``desired`` without the containers of ``services`` (empty is all) that never came to run.

    So what was made for them is removed, and nobody tries again unasked; what did start stays. When nothing at all
    runs or ran, nothing stays wanted: networks made for it go too.
    """
    ran = {name for name, container in observed.containers.items() if not isinstance(container.status, Created)}
    kept = tuple(spec for spec in desired.containers if spec.name in ran or (services and spec.service not in services))
    if not kept and not ran:
        return replace(desired, containers=(), networks=(), images=())
    return replace(desired, containers=kept)
