"""The options of ``up`` on their way over the control socket."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestra.plan.wish import Recreate, Wish

if TYPE_CHECKING:
    from orchestra.control.wire import Message


def read_wish(request: Message) -> Wish:
    """{"services"?, "named"?, "scaled"?, "no_deps"?, "recreate"?, "recreate_dependencies"?, "renew_volumes"?, "pull"?,
    "remove_orphans"?, "stop_timeout"?}, see ``Wish``. Raises ValueError for another word of ``recreate``.
    """
    return Wish(
        services=frozenset(request.get("services", ())),
        named=frozenset(request.get("named", ())),
        scaled=frozenset(request.get("scaled", ())),
        alone=bool(request.get("no_deps")),
        recreate=Recreate(request.get("recreate", Recreate.CHANGED)),
        recreate_dependencies=bool(request.get("recreate_dependencies")),
        renew_volumes=bool(request.get("renew_volumes")),
        pull=request.get("pull"),
        remove_orphans=bool(request.get("remove_orphans")),
        stop_timeout=request.get("stop_timeout"),
    )
