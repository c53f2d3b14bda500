"""What a batch of changes means for each service. Pure."""

from __future__ import annotations

from orchestra.model.watch import WatchAction
from orchestra.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from orchestra.model.watch import WatchCommand, WatchRule
    from orchestra.stacks.watching.tree import Changes


class Sync(Record):
    """What to copy into the containers of the rule's service, and what to remove there."""

    rule: WatchRule
    changes: Changes


class Work(Record):
    """What is to be done for one service, in this order: rebuild, or else sync; restart; then run commands.

    A rebuilt service starts from an image that has the files: nothing else is done for it. paths: how many changed.
    """

    service: str
    rebuild: bool
    syncs: tuple[Sync, ...]
    restart: bool
    commands: tuple[WatchCommand, ...]
    paths: int

    @property
    def after(self) -> After:
        return After(self.rebuild, self.restart, self.commands)


class After(Record):
    """What follows a sync, or takes its place. Two of them that wait for the same service are one."""

    rebuild: bool = False
    restart: bool = False
    commands: tuple[WatchCommand, ...] = ()

    def __bool__(self) -> bool:
        return self.rebuild or self.restart or bool(self.commands)

    def __or__(self, other: After) -> After:
        return After(
            self.rebuild or other.rebuild, self.restart or other.restart, _together((*self.commands, *other.commands))
        )


def decide(changed: Iterable[tuple[WatchRule, Changes]]) -> tuple[Work, ...]:
    """By service, in the order of the rules. changed: rules without changes have no effect."""
    services: dict[str, list[tuple[WatchRule, Changes]]] = {}
    for rule, changes in changed:
        if changes:
            services.setdefault(rule.service, []).append((rule, changes))
    return tuple(_work(service, rows) for service, rows in services.items())


def _work(service: str, rows: list[tuple[WatchRule, Changes]]) -> Work:
    actions = [rule.action for rule, _changes in rows]
    rebuild = WatchAction.REBUILD in actions
    commands = [rule.exec for rule, _changes in rows if rule.exec is not None]
    paths = {f"{rule.path}/{path}" for rule, changes in rows for path in changes.removed | changes.changed}
    return Work(
        service=service,
        rebuild=rebuild,
        syncs=() if rebuild else tuple(Sync(rule, changes) for rule, changes in rows if rule.action.syncs),
        restart=not rebuild and any(action.restarts for action in actions),
        commands=() if rebuild else _together(commands),
        paths=len(paths),
    )


def _together(commands: Iterable[WatchCommand]) -> tuple[WatchCommand, ...]:
    """Each command once: a mapping in it makes it no key of a dictionary."""
    found: list[WatchCommand] = []
    for command in commands:
        if command not in found:
            found.append(command)
    return tuple(found)
