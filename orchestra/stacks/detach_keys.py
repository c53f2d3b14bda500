"""The keys that detach a terminal from a container. Standard library only."""

from __future__ import annotations

from orchestra.errors import UserError

DEFAULT = "ctrl-p,ctrl-q"
_CONTROL = "@abcdefghijklmnopqrstuvwxyz[\\]^_"


class DetachKeys:
    """sequence: as bytes, at least one. are_typed: all of it was typed, one right after the other."""

    def __init__(self, sequence: bytes) -> None:
        self._sequence = sequence
        self._matched = 0
        self.are_typed = False

    def passed(self, typed: bytes) -> bytes:
        """What of it is for the program. Keys that may be the beginning of the sequence wait for the next one."""
        result = bytearray()
        for byte in typed:
            if self._matched and byte != self._sequence[self._matched]:
                result += self._sequence[: self._matched]
                self._matched = 0
            if byte != self._sequence[self._matched]:
                result.append(byte)
                continue
            self._matched += 1
            if self._matched == len(self._sequence):
                self.are_typed = True
                break
        return bytes(result)


def parse_detach_keys(text: str) -> DetachKeys | None:
    """``ctrl-p,ctrl-q``: letters, or control characters as ``ctrl-`` and a key. None for an empty text, which is none.

    Raises UserError.
    """
    if not text:
        return None
    sequence = bytearray()
    for key in text.split(","):
        prefix, _, name = key.rpartition("ctrl-")
        if key.startswith("ctrl-") and not prefix and len(name) == 1 and name.lower() in _CONTROL:
            sequence.append(_CONTROL.index(name.lower()))
        elif len(key) == 1 and key.isascii():
            sequence += key.encode()
        else:
            hint = f"use letters, or ctrl- and a letter or one of @[\\]^_, such as {DEFAULT}"
            raise UserError(f"--detach-keys {text}: {key or 'an empty key'} is no key", hint=hint)
    return DetachKeys(bytes(sequence))
