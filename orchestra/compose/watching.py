"""``develop.watch`` of the services to rules that no longer depend on the file."""

from __future__ import annotations

import os.path
import posixpath
from typing import TYPE_CHECKING

from orchestra.model.watch import WatchAction, WatchCommand, WatchRule

if TYPE_CHECKING:
    from orchestra.compose.context import Context
    from orchestra.compose.schema.develop import Watch
    from orchestra.compose.schema.service import Service


def watch_rules(context: Context) -> tuple[WatchRule, ...]:
    """Those of the chosen services. The stack must have been checked."""
    return tuple(
        _rule(key, index, service, watch, context)
        for key, service in context.stack.services.items()
        if service.develop and key not in context.left_out
        for index, watch in enumerate(service.develop.watch)
    )


def _rule(key: str, index: int, service: Service, watch: Watch, context: Context) -> WatchRule:
    action, build = WatchAction(watch.action), service.build
    local = build.context if build and build.context and os.path.isabs(build.context) else ""
    dockerfile = "" if not local or build is None or build.dockerfile_inline else (build.dockerfile or "Dockerfile")
    return WatchRule(
        service=key,
        path=os.path.normpath(watch.path),
        action=action,
        target=posixpath.normpath(f"/{watch.target}".replace("//", "/")) if watch.target and action.syncs else "",
        ignore=watch.ignore,
        include=watch.include,
        initial_sync=watch.initial_sync and action.syncs,
        exec=_command(watch) if action is WatchAction.SYNC_EXEC else None,
        context=local,
        dockerfile=os.path.join(local, dockerfile) if dockerfile else "",
        is_mounted=action.syncs
        and any(_shows(volume.source, watch.path) for volume in service.volumes if volume.type == "bind"),
        is_built=build is not None,
        location=context.location(("services", key, "develop", "watch", index, "action")),
    )


def _command(watch: Watch) -> WatchCommand:
    hook = watch.exec
    variables = {name: value for name, value in (hook.environment or {}).items() if value is not None}
    return WatchCommand(tuple(hook.command or ()), hook.user or "", hook.privileged, hook.working_dir or "", variables)


def _shows(source: str | None, path: str) -> bool:
    """Whether a bind mount of ``source`` includes ``path``."""
    if not source:
        return False
    return os.path.commonpath((os.path.normpath(source), os.path.normpath(path))) == os.path.normpath(source)
