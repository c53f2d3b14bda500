"""Brings changes into the containers of a service, also into those that come later.

A container that is made anew has the files of its image: it gets everything that has changed since the watch began.
"""

from __future__ import annotations

from orchestra.errors import OrchestraError
from orchestra.stacks.watching.events import Trouble

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from orchestra.home import StackHome
    from orchestra.model.observed import Container
    from orchestra.model.watch import WatchRule
    from orchestra.stacks.watching.events import WatchEvent
    from orchestra.stacks.watching.patterns import Patterns
    from orchestra.stacks.watching.tree import Changes, Tree


class Watched:
    """A rule, with what has been done for it. touched: paths that have changed since the watch began."""

    def __init__(self, rule: WatchRule, patterns: Patterns, tree: Tree) -> None:
        self.rule = rule
        self.patterns = patterns
        self.tree = tree
        self.touched: set[str] = set()
        self._served: set[str] = set()

    def serve(self, containers: Iterable[Container]) -> None:
        """These hold what the host holds, as far as the rule wants that."""
        self._served.update(container.id for container in containers)

    def retry(self, container: Container) -> None:
        """This one lacks something: with the next changes it gets everything again."""
        self._served.discard(container.id)

    def is_served(self, container: Container) -> bool:
        return container.id in self._served

    def missing(self, container: Container, changes: Changes) -> Changes:
        """What this container has to get, so that it holds everything that has changed, with these changes."""
        if self.is_served(container):
            return changes
        everything = self.tree.everything() if self.rule.initial_sync else frozenset()
        return self.tree.sort(everything | self.touched | changes.removed | changes.changed)


def deliver(
    home: StackHome,
    service: str,
    containers: Sequence[Container],
    syncs: Mapping[Watched, Changes],
    tell: Callable[[WatchEvent], None],
) -> bool:
    """Return whether a container got anything. containers: of the service."""
    from orchestra.driver.local.copying.mirror import Mirroring, mirror

    def warn(text: str) -> None:
        tell(Trouble(service, text))

    any_delivered = False
    for watched, changes in syncs.items():
        watched.touched |= changes.removed | changes.changed
    for container in containers:
        wanted = [
            Mirroring(watched.tree.top, watched.rule.target, missing.removed, missing.changed, watched.patterns.covers)
            for watched, changes in syncs.items()
            if (missing := watched.missing(container, changes))
        ]
        try:
            if wanted:
                mirror(container.name, home.container(container.name), wanted, warn)
                any_delivered = True
        except FileNotFoundError:
            continue  # it has just been removed
        except (OrchestraError, OSError) as error:
            warn(str(error))
            for watched in syncs:
                watched.retry(container)
            continue
        for watched in syncs:
            watched.serve([container])
    return any_delivered
