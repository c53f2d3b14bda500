"""Rules as a file would declare them."""

from __future__ import annotations

from orchestra.model.watch import WatchAction, WatchCommand, WatchRule

TEST = WatchCommand(("make", "test"))


def rule(action="sync", path="/project", service="web", **more) -> WatchRule:
    kind = WatchAction(action)
    more.setdefault("target", "/srv" if kind.syncs else "")
    if kind is WatchAction.SYNC_EXEC:
        more.setdefault("exec", TEST)
    return WatchRule(service, path, kind, **more)
