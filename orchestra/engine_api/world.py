"""What handlers share: the context, the stacks that may be seen, and the events of all of them."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, NamedTuple

from orchestra.driver.local.inspection import inspect
from orchestra.driver.local.observe import observe_container, observe_containers
from orchestra.engine_api.containers.definition import NAME
from orchestra.engine_api.errors import conflict, not_found
from orchestra.engine_api.made import Made, read_made
from orchestra.model.observed import Exited, Running
from orchestra.stacks.ls import find_stacks
from orchestra.stacks.stack_states import StackStates

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from typing import Any

    from orchestra.control.client import Client
    from orchestra.engine_api.event_hub import EventHub
    from orchestra.engine_api.executions import Executions
    from orchestra.home import StackHome
    from orchestra.model.container import ContainerSpec
    from orchestra.model.observed import Container
    from orchestra.stacks.context import Context

OWN_STACK = "engine-api"
"""The stack of all containers that are made through the API."""


class Found(NamedTuple):
    """A container. made: what was asked of the API for it; None for one of a stack with a file. spec: None once it is
    no longer wanted.
    """

    home: StackHome
    container: Container
    spec: ContainerSpec | None
    made: Made | None

    @property
    def name(self) -> str:
        return self.made.name if self.made else self.container.name

    @property
    def id(self) -> str:
        return self.container.id

    @property
    def directory(self) -> str:
        return self.home.container(self.container.name)

    @property
    def runs(self) -> bool:
        return isinstance(self.container.status, Running)

    @property
    def is_paused(self) -> bool:
        return isinstance(self.container.status, Running) and self.container.status.paused

    @property
    def exit_code(self) -> int:
        status = self.container.status
        return (status.exit_code or 0) if isinstance(status, Exited) else 0


class World:
    """stacks: those that may be seen; empty for all. read_only: nothing may be changed."""

    def __init__(self, context: Context, *, read_only: bool = False, stacks: Collection[str] = ()) -> None:
        from orchestra.engine_api.event_hub import EventHub
        from orchestra.engine_api.executions import Executions

        self.context = context
        self.read_only = read_only
        self.stacks = frozenset(stacks)
        self.states = StackStates(context.home)
        self.executions: Executions = Executions()
        self.changing = threading.Lock()
        self._places: dict[str, tuple[str, str]] = {}
        self.events: EventHub = EventHub(self)

    def sees(self, stack: str) -> bool:
        return not self.stacks or stack in self.stacks

    def stack_names(self) -> list[str]:
        return [name for name in find_stacks(self.context.home) if self.sees(name)]

    def client(self, stack: str) -> Client:
        return self.context.client(stack)

    def is_needed(self) -> bool:
        """Whether something relies on this process."""
        return self.executions.any_runs()

    def containers(self) -> Iterator[Found]:
        for stack in self.stack_names():
            yield from self.containers_of(stack)

    def containers_of(self, stack: str) -> Iterator[Found]:
        home = self.context.home.stack(stack)
        specs = self.states.specs(home)
        for name, container in observe_containers(home).items():
            yield _found(home, container, specs.get(name))

    def at(self, stack: str, name: str) -> Found | None:
        """name: within the stack."""
        home = self.context.home.stack(stack)
        container = observe_container(home.container(name))
        return None if container is None else _found(home, container, self.states.specs(home).get(name))

    def find(self, word: str) -> Found:
        """By id, name, or the beginning of an id, in this order. Raises ApiError."""
        word = word.removeprefix("/")
        if known := self._find_known(word):
            return known
        there = list(self.containers())
        self._places = {each.id: (each.home.name, each.container.name) for each in there}
        exact = [each for each in there if each.id == word] or [each for each in there if each.name == word]
        found = exact or [each for each in there if word and each.id.startswith(word)]
        if len(found) > 1 and not exact:
            raise conflict(f"multiple IDs found with provided prefix: {word}")
        if not found:
            raise not_found(f"No such container: {word}")
        return found[0]

    def _find_known(self, word: str) -> Found | None:
        """Without looking at all containers: by an id that was seen before, or by a name that was never changed."""
        places = [self._places[word]] if word in self._places else []
        if NAME.fullmatch(word):
            places += [(stack, word) for stack in self.stack_names()]
        for stack, name in places:
            found = self.at(stack, name)
            if found is not None and word in (found.id, found.name):
                return found
        return None

    def look_again(self, found: Found) -> Found | None:
        """The same container as it is now; None once it is gone."""
        container = observe_container(found.directory)
        if container is None or container.id != found.id:
            return None
        return _found(found.home, container, self.states.specs(found.home).get(container.name))

    def inspect(self, found: Found) -> dict[str, Any]:
        """In the shape of Docker, without what was asked of the API."""
        return inspect(
            self.context.home,
            found.home,
            found.container,
            is_restarting=self.is_restarting(found),
            spec=found.spec,
        )

    def is_restarting(self, found: Found) -> bool:
        status = found.container.status
        if not isinstance(status, Exited) or status.stopped or found.spec is None:
            return False
        from orchestra.driver.local.restarting import find_next_run

        return find_next_run(found.home, found.container) is not None


def _found(home: StackHome, container: Container, spec: ContainerSpec | None) -> Found:
    return Found(home, container, spec, read_made(spec) if spec and home.name == OWN_STACK else None)
