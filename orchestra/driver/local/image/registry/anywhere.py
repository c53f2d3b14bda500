"""A repository at its mirrors and at its own registry: the first of them that answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from orchestra.driver.local.image.registry.places import find_places
from orchestra.driver.local.image.registry.repository import Repository
from orchestra.errors import DriverError

if TYPE_CHECKING:
    from collections.abc import Callable

    from orchestra.driver.local.image.naming.name import ImageName
    from orchestra.driver.local.image.registry.session import Session

T = TypeVar("T")


class Anywhere:
    """Safe across threads."""

    def __init__(self, session: Session, name: ImageName) -> None:
        self._session = session
        self._repositories = [Repository(session, place) for place in find_places(name, session.environment)]
        self._failing: list[Repository] = []

    def ask(self, ask: Callable[[Repository], T]) -> T:
        """The first answer; when there is none, the registry's own word counts, which is asked last.

        A mirror that has failed once is not asked again: its patience has been used up.
        """
        *mirrors, own = self._repositories
        for mirror in mirrors:
            if mirror not in self._failing:
                try:
                    return ask(mirror)
                except DriverError:
                    self._session.check()
                    self._failing.append(mirror)
        return ask(own)
