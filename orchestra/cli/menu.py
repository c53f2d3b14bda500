"""The line of keys below the logs of a foreground ``up``: what it says, and what the keys mean. Pure."""

from __future__ import annotations

from orchestra.regex import regex
from orchestra.stacks.keys import Detach, OpenInBrowser, ToggleLogs, ToggleWatch

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from orchestra.stacks.keys import Key

_ESCAPE_SEQUENCES = regex("\033(?:\\[[0-9;?]*[ -/]*[@-~]|O.)")  # of keys such as arrows (ECMA-48, 5.4)
_ESCAPE, _ENTER, _ERASE, _ERASE_ALL, _TAB = "\033", "\r\n", "\b\177", "\25", "\t"
_GAP = "   "


class Menu:
    """services: whose logs may be toggled. watches: whether files are watched."""

    def __init__(self, services: Sequence[str]) -> None:
        self.watches = False
        self._services = tuple(services)
        self._typed: str | None = None

    def take(self, typed: str) -> Iterator[Key]:
        """What the keys ask for."""
        for character in _ESCAPE_SEQUENCES.sub("", typed):
            key = self._choose(character.lower()) if self._typed is None else self._spell(character)
            if key is not None:
                yield key

    def render(self, width: int) -> str:
        """At most ``width`` cells: of the keys as many as fit, of a question its end."""
        if self._typed is not None:
            return self._question()[-width:] if width > 0 else ""
        keys = ["d Detach", f"w {'Disable' if self.watches else 'Enable'} Watch", "o Open in Browser", "l Logs"]
        while len(_GAP.join(keys)) > width:
            keys.pop()
        return _GAP.join(keys)

    def _choose(self, character: str) -> Key | None:
        match character:
            case "d":
                return Detach()
            case "w":
                return ToggleWatch()
            case "o":
                return OpenInBrowser()
            case "l":
                self._typed = ""
        return None

    def _spell(self, character: str) -> Key | None:
        assert self._typed is not None
        fitting = self._fitting()
        if character in _ENTER:
            exact = self._typed if self._typed in self._services else fitting[0] if len(fitting) == 1 else ""
            if exact or not self._typed:
                self._typed = None
            return ToggleLogs(exact) if exact else None
        if character == _ESCAPE:
            self._typed = None
        elif character in _ERASE:
            self._typed = self._typed[:-1]
        elif character == _ERASE_ALL:
            self._typed = ""
        elif character == _TAB:
            self._typed = _common(fitting) or self._typed
        elif character.isprintable():
            self._typed += character
        return None

    def _question(self) -> str:
        fitting = " ".join(self._fitting()[:5]) or "no such service"
        return f"({fitting}) Show or hide logs of: {self._typed}"

    def _fitting(self) -> list[str]:
        return [name for name in self._services if name.startswith(self._typed or "")]


def _common(names: Sequence[str]) -> str:
    """The beginning that all names have."""
    common = min(names, default="")
    while not all(name.startswith(common) for name in names):
        common = common[:-1]
    return common
