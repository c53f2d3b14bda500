"""Events on disk, one JSON object per line, so that ``events --since`` can show past events.

The newest file is ``events.jsonl``; when it is full it becomes ``events.jsonl.1``, replacing the file of that name.
Standard library only.
"""

from __future__ import annotations

import json
import os
from contextlib import suppress

from orchestra.control.tally import count_before_replacing
from orchestra.linux import private_files
from orchestra.model.codec import encode
from orchestra.model.event import PullEvent, SnapshotEvent, decode_event

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from orchestra.home import StackHome
    from orchestra.model.event import Change, Event

APPENDING = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
FULL = 512 * 1024
"""Bytes at which a file is full: a few thousand events."""


def append_events(stack_home: StackHome, events: Iterable[Event]) -> bool:
    """Write events, except for the progress of pulls. A full disk loses events, but does not end the stack.

    Whether the next ones will be the first of a file: a snapshot should be, so that what went before can be forgotten.
    """
    kept = (event for event in events if not isinstance(event, PullEvent))
    lines = b"".join(json.dumps(encode(event), separators=(",", ":")).encode() + b"\n" for event in kept)
    if not lines:
        return False
    with suppress(OSError):
        try:
            descriptor = os.open(stack_home.events, APPENDING, 0o600)
        except FileNotFoundError:
            private_files.make_directories(stack_home.data)
            descriptor = os.open(stack_home.events, APPENDING, 0o600)
        try:
            os.write(descriptor, lines)
            if os.fstat(descriptor).st_size > FULL:
                count_before_replacing(stack_home)
                os.rename(stack_home.events, stack_home.earlier_events)
                return True
        finally:
            os.close(descriptor)
    return False


def read_events(stack_home: StackHome) -> Iterator[Change]:
    """Yield events without snapshots, the oldest first."""
    for event in read_everything(stack_home):
        if not isinstance(event, SnapshotEvent):
            yield event


def read_everything(stack_home: StackHome) -> Iterator[Event]:
    """Yield events, the oldest first. Lines that cannot be read, such as one cut off by a crash, are skipped."""
    for path in (stack_home.earlier_events, stack_home.events):
        try:
            with open(path, "rb") as file:
                lines = file.readlines()
        except FileNotFoundError:
            continue
        for line in lines:
            with suppress(ValueError):
                yield decode_event(json.loads(line))
