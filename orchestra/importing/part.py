"""A document of another engine, of which is noted what is taken, so that nothing is left out in silence."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from orchestra.compose.nodes import Path, locate, plain, render_path
from orchestra.errors import Diagnostic

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from orchestra.compose.nodes import Node
    from orchestra.errors import Span


class Book:
    """place: where a path of the document stands. values: the document."""

    def __init__(self, values: Any, place: Callable[[Path], Span]) -> None:
        self.whole = Part(values, (), self)
        self._place = place
        self._used: set[Path] = set()
        self._lost: dict[Path, Diagnostic] = {}

    def use(self, path: Path) -> None:
        self._used.add(path)

    def is_used(self, path: Path) -> bool:
        return path in self._used

    def lose(self, path: Path, reason: str, instead: str = "", *, code: str = "not-translated") -> None:
        subject = render_path(path)
        found = Diagnostic(code, f"{subject}: {reason}", self._place(path), subject, instead)
        self._lost.setdefault(path, found)

    def settle(
        self, noise: Mapping[Path, object] = MappingProxyType({}), reasons: Mapping[str, str] = MappingProxyType({})
    ) -> tuple[Diagnostic, ...]:
        """All losses by their places. noise: ends of paths, with values that say nothing there, None for any. reasons:
        by the last key of a path that has one.
        """
        for path in self._unused(self.whole.value, (), noise):
            known = (reasons[part] for part in reversed(path) if isinstance(part, str) and part in reasons)
            self.lose(path, next(known, "has no counterpart"))
        return tuple(sorted(self._lost.values(), key=lambda loss: (loss.span or (), loss.message)))

    def _unused(self, value: Any, path: Path, noise: Mapping[Path, object]) -> Iterator[Path]:
        if path in self._used or path in self._lost or (not value and value != 0):
            return
        if any(path[-len(end) :] == end and quiet in (None, value) for end, quiet in noise.items()):
            return
        inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, tuple) else None
        if inner is None:
            if value:
                yield path
            return
        for key, item in inner:
            yield from self._unused(item, (*path, key), noise)


def read_book(node: Node) -> Book:
    return Book(plain(node), lambda path: locate(node, path, key=True))


class Part:
    """A value of the document. Of what does not exist everything is empty."""

    def __init__(self, value: Any, path: Path, book: Book) -> None:
        self.value = value
        self.path = path
        self.book = book

    def at(self, *names: str) -> Part:
        value, path = self.value, self.path
        for name in names:
            value = value.get(name) if isinstance(value, dict) else None
            path = (*path, name)
        return Part(value, path, self.book)

    def take(self, *names: str) -> Any:
        """The value of it, or of something below it, all of which is made use of."""
        part = self.at(*names)
        self.book.use(part.path)
        return part.value

    def each(self, *names: str) -> list[Part]:
        """The entries of a list, or of a mapping."""
        part = self.at(*names)
        if isinstance(part.value, dict):
            return [Part(item, (*part.path, key), self.book) for key, item in part.value.items()]
        items = part.value if isinstance(part.value, tuple) else ()
        return [Part(item, (*part.path, index), self.book) for index, item in enumerate(items)]

    def lose(self, reason: str, instead: str = "") -> None:
        self.book.lose(self.path, reason, instead)

    def approximate(self, reason: str, instead: str = "") -> None:
        self.book.use(self.path)
        self.book.lose(self.path, reason, instead, code="approximated")
