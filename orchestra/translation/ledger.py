"""What of a file a translation has made use of, so that nothing is left out in silence."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from orchestra.compose.nodes import Path, render_path
from orchestra.compose.render import says_nothing
from orchestra.compose.schema.model import Model
from orchestra.errors import Diagnostic

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from orchestra.compose.patterns import Branch
    from orchestra.errors import Span

    Reasons = Branch[tuple[str, str]]

EXTENSIONS = frozenset({"x-orchestra"})
"""Those that mean something here; the others are lost nowhere."""


class Ledger:
    """place: where a path of the document stands. reasons: by the shape of a path, why what stands there has no
    counterpart, and what to do instead.
    """

    def __init__(self, place: Callable[[Path], Span], reasons: Reasons) -> None:
        self._place = place
        self._reasons = reasons
        self._used: set[Path] = set()
        self._above: set[Path] = set()  # all paths above those that are used or lost
        self._lost: dict[Path, Diagnostic] = {}

    def use(self, path: Path) -> None:
        self._used.add(path)
        self._above.update(path[:length] for length in range(1, len(path)))

    def lose(self, path: Path, reason: str, instead: str = "") -> None:
        """What stands there has no effect in the result."""
        self._tell_loss("not-translated", path, reason, instead)

    def approximate(self, path: Path, reason: str, instead: str = "") -> None:
        """What stands there has another effect in the result than here, or a part of it."""
        self._tell_loss("approximated", path, reason, instead)

    def _tell_loss(self, code: str, path: Path, reason: str, instead: str) -> None:
        message = f"{render_path(path)}: {reason}"
        self._above.update(path[:length] for length in range(1, len(path)))
        self._lost.setdefault(path, Diagnostic(code, message, self._place(path), render_path(path), instead))

    def settle(self, model: Model) -> tuple[Diagnostic, ...]:
        """All losses, in the order of their places. model: the whole, of which everything else is reported as lost."""
        for path, branch in self._unused(model, (), self._reasons):
            reason, instead = branch.value if branch and branch.value else ("has no counterpart", "")
            self.lose(path, reason, instead)
        return tuple(sorted(self._lost.values(), key=lambda loss: (loss.span or (), loss.message)))

    def _unused(self, value: Any, path: Path, branch: Reasons | None) -> Iterator[tuple[Path, Reasons | None]]:
        """The topmost paths below which nothing is used, with their reasons."""
        if path in self._used or path in self._lost:
            return
        if path and path not in self._above:
            yield path, branch
            return
        for key, inner in _parts(value):
            yield from self._unused(inner, (*path, key), branch.at(key) if branch else None)


def _parts(value: Any) -> Iterator[tuple[str | int, Any]]:
    """What a value consists of, without what says nothing."""
    if isinstance(value, Model):
        for name in value.hints():
            inner = getattr(value, name)
            if not says_nothing(name, inner, value.default(name)) and not _is_hollow(inner):
                yield name, inner
        yield from ((key, inner) for key, inner in value.extensions.items() if key in EXTENSIONS)
    elif isinstance(value, dict):
        yield from value.items()
    elif isinstance(value, tuple):
        yield from enumerate(value)


def _is_hollow(value: Any) -> bool:
    return isinstance(value, Model) and not any(True for _part in _parts(value))


class Given:
    """A part of the file, of which is noted what is taken."""

    def __init__(self, model: Model, path: Path, ledger: Ledger) -> None:
        self.model = model
        self.path = path
        self.ledger = ledger

    def peek(self, name: str) -> Any:
        """The value of an attribute, without use of it."""
        return getattr(self.model, name)

    def take(self, name: str) -> Any:
        """The value of an attribute, all of which is made use of."""
        self.ledger.use((*self.path, name))
        return getattr(self.model, name)

    def extension(self, name: str) -> Any:
        self.ledger.use((*self.path, name))
        return self.model.extensions.get(name)

    def lose(self, name: str, reason: str, instead: str = "") -> None:
        self.ledger.lose((*self.path, name), reason, instead)

    def approximate(self, name: str, reason: str, instead: str = "") -> None:
        self.ledger.use((*self.path, name))
        self.ledger.approximate((*self.path, name), reason, instead)

    def below(self, name: str) -> Given | None:
        """An attribute that is a mapping, with attributes of its own."""
        inner = getattr(self.model, name)
        return Given(inner, (*self.path, name), self.ledger) if isinstance(inner, Model) else None

    def each(self, name: str) -> list[Given]:
        """The entries of a list of such mappings."""
        return [
            Given(inner, (*self.path, name, index), self.ledger)
            for index, inner in enumerate(getattr(self.model, name) or ())
        ]

    def entries(self, name: str) -> Mapping[str, Given | None]:
        """The entries of a mapping of such mappings, by their keys; None for one of which nothing is said."""
        found: dict[str, Given | None] = {}
        for key, inner in (getattr(self.model, name) or {}).items():
            path = (*self.path, name, key)
            found[key] = Given(inner, path, self.ledger) if isinstance(inner, Model) else None
            if _is_hollow(inner) or inner is None:
                self.ledger.use(path)
        return found
