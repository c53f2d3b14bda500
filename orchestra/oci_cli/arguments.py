"""Options of a command line in the style of runc: ``--long VALUE``, ``--long=VALUE``, ``-s VALUE``, in any order.

A command's options are one line of words: ``name|n=`` takes a value, ``name|n*`` takes one each time it is given, and
``name|n`` takes none.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence


class UsageError(Exception):
    """What is wrong with a command line, in words."""


class Options:
    """What was given. Asking for what was not gives None, an empty list or False, as the option is declared."""

    def __init__(self, declaration: str) -> None:
        self._kinds: dict[str, str] = {}
        self._names: dict[str, str] = {}
        self._values: dict[str, list[str]] = {}
        for word in declaration.split():
            kind = word[-1] if word[-1] in "=*" else ""
            names = word.rstrip("=*").split("|")
            self._kinds[names[0]] = kind
            self._names.update(dict.fromkeys(names, names[0]))

    def flag(self, name: str) -> bool:
        assert self._kinds[name] == ""
        return name in self._values

    def value(self, name: str) -> str | None:
        assert self._kinds[name] == "="
        return self._values.get(name, [None])[-1]

    def values(self, name: str) -> list[str]:
        assert self._kinds[name] == "*"
        return self._values.get(name, [])

    def number(self, name: str) -> int | None:
        text = self.value(name)
        try:
            return None if text is None else int(text)
        except ValueError:
            raise UsageError(f"--{name}: {text!r} is not a number") from None

    def parse(self, words: Sequence[str], *, all_of_them: bool) -> list[str]:
        """Take the options out of ``words``. Returns the others; unless ``all_of_them``, the first of these ends it."""
        rest: list[str] = []
        pending = list(reversed(words))
        while pending:
            word = pending.pop()
            if word == "--" or not word.startswith("-") or word == "-":
                if word != "--":
                    rest.append(word)
                if word == "--" or not all_of_them:
                    return rest + pending[::-1]
                continue
            name, equals, value = word.lstrip("-").partition("=")
            canonical = self._names.get(name)
            if canonical is None:
                raise UsageError(f"unknown option {word.partition('=')[0]}")
            if self._kinds[canonical]:
                if not equals:
                    if not pending:
                        raise UsageError(f"{word} needs a value")
                    value = pending.pop()
                self._values.setdefault(canonical, []).append(value)
            elif value in ("", "true"):
                self._values[canonical] = []
            elif value != "false":
                raise UsageError(f"{word}: true or false is expected")
        return rest
