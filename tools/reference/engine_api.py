"""The endpoints of the Engine API, from its routing table."""

from __future__ import annotations

from orchestra.engine_api.routes import ROUTES
from tools.reference import marks


def renew(page: str) -> str:
    rows = [
        (f"`{route.method}`", f"`{route.pattern.replace(':path', '')}`", route.summary, "yes" if route.writes else "")
        for route in ROUTES
    ]
    return marks.replace(page, "endpoints", marks.table(("method", "path", "what it does", "writes"), rows))
