"""The desired state after ``down``; ``down --dry-run`` uses the same functions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestra.model.desired import Request
from orchestra.plan.selection import without_services
from orchestra.record import replace

if TYPE_CHECKING:
    from collections.abc import Collection

    from orchestra.model.desired import Desired
    from orchestra.model.names import ServiceName
    from orchestra.model.request import DownRequest


def asked_by(request: DownRequest, at: float) -> Request:
    """at: Unix seconds."""
    return Request(
        at=at,
        stop_timeout=request.stop_timeout,
        remove_orphans=request.remove_orphans,
        remove_volumes=request.remove_volumes and not request.selected,
        remove_anonymous=request.remove_volumes,
    )


def go_down(current: Desired, declared: tuple[ServiceName, ...], gone: Collection[str], asked: Request) -> Desired:
    """The desired state. gone: services to remove; empty for the whole stack."""
    current = replace(current, services=declared)
    if gone:
        return without_services(current, gone, asked)
    return replace(current, containers=(), networks=(), images=(), request=asked, wishes={})
