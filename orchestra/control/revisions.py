"""The revisions of a stack on disk: what was asked for, when, and by which user, so that one can be brought back.

``revisions/index.json`` lists the last of them, and each has the desired state of its time beside it: a second name of
the file that ``store_desired`` has just written, which costs next to nothing. They go when the stack goes down.
"""

from __future__ import annotations

import json
import os
import sys
from contextlib import suppress
from typing import TYPE_CHECKING

from orchestra.errors import FatalError
from orchestra.linux import private_files
from orchestra.linux.durability import store_durably
from orchestra.model.codec import decode, encode
from orchestra.model.desired import Desired
from orchestra.model.revision import Author, Revision
from orchestra.plan.revision import compare, definition, describe
from orchestra.record import replace

if TYPE_CHECKING:
    from collections.abc import Mapping

    from orchestra.home import StackHome

KEPT = 20
"""Revisions of one stack."""


def load_revisions(home: StackHome) -> tuple[Revision, ...]:
    """The oldest first; empty for a stack that has none. Raises FatalError for a damaged file."""
    try:
        with open(home.revision_index, "rb") as file:
            return decode(tuple[Revision, ...], json.loads(file.read()))
    except FileNotFoundError:
        return ()
    except (ValueError, RecursionError) as error:
        raise FatalError(f"{home.revision_index} cannot be read: {error}", hint="remove it to begin anew") from error


def load_definition(home: StackHome, number: int) -> Desired:
    """What that revision asked for. Raises FatalError if its file is damaged or gone."""
    path = home.revision(number)
    try:
        with open(path, "rb") as file:
            return definition(decode(Desired, json.loads(file.read())))
    except (OSError, ValueError, RecursionError) as error:
        raise FatalError(f"{path} cannot be read: {error}", hint="roll back to another revision") from error


class Revisions:
    """Keeps them. Not safe across threads. Failures to write are reported, and end nothing: what runs comes first."""

    def __init__(self, home: StackHome) -> None:
        self._home = home
        self._known: list[Revision] | None = None
        self._newest: Desired | None = None

    def note(self, desired: Desired, author: Author, at: float) -> None:
        """Add a revision if this desired state, which has just been stored, differs from the last one's."""
        try:
            known = self._load()
            differences = compare(self._newest, desired)
            if not differences:
                return
            number = known[-1].number + 1 if known else 1
            private_files.make_directories(self._home.revisions)
            self._link(self._home.desired, number)
            known.append(Revision(number, at, author, describe(differences)))
            self._newest = definition(desired)
            self._store(known)
        except OSError as error:
            self._report(error)

    def runs_with(self, images: Mapping[str, str]) -> bool:
        """Whether it is known already that the last revision runs with these images."""
        last = self._known[-1] if self._known else None
        return last is not None and all(last.images.get(key) == digest for key, digest in images.items())

    def note_images(self, images: Mapping[str, str], author: Author, at: float) -> None:
        """Note the images that the last revision runs with. Other ones than before are another revision."""
        try:
            known = self._load()
            if not known or self.runs_with(images):
                return
            last = known[-1]
            every = {**last.images, **images}
            others = [key for key, digest in images.items() if last.images.get(key) != digest]
            if last.images.keys().isdisjoint(others):
                known[-1] = replace(last, images=every)
            else:
                number, changed = last.number + 1, tuple(f"image {key} changed" for key in others)
                known.append(Revision(number, at, author, changed, every))
                self._link(self._home.revision(last.number), number)
            self._store(known)
        except OSError as error:
            self._report(error)

    def _load(self) -> list[Revision]:
        if self._known is None:
            try:
                self._known = list(load_revisions(self._home))
                self._newest = load_definition(self._home, self._known[-1].number) if self._known else None
            except FatalError as error:
                self._report(error)
                self._known, self._newest = self._known or [], None
        return self._known

    def _link(self, path: str, number: int) -> None:
        """Give the file another name: that of a revision. There may be one of an index that was lost."""
        with suppress(FileNotFoundError):
            os.unlink(self._home.revision(number))
        os.link(path, self._home.revision(number))

    def _store(self, known: list[Revision]) -> None:
        for surplus in known[:-KEPT]:
            with suppress(FileNotFoundError):
                os.unlink(self._home.revision(surplus.number))
        del known[:-KEPT]
        store_durably(self._home.revision_index, json.dumps(encode(known), separators=(",", ":")).encode())

    def _report(self, error: Exception) -> None:
        print(f"the revisions of stack {self._home.name} cannot be kept: {error}", file=sys.stderr, flush=True)
