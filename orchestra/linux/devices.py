"""Device nodes of the host, found by their numbers."""

from __future__ import annotations

import os
import stat

PLACES = ("/dev", "/dev/net", "/dev/snd", "/dev/dri", "/dev/input", "/dev/mapper", "/dev/block", "/dev/char")


def find_node(kind: int, number: int) -> str:
    """The path of a node of that kind (``stat.S_IFCHR``...) and number, or empty. Links to a node count."""
    for place in PLACES:
        try:
            entries = sorted(os.scandir(place), key=lambda entry: entry.name)
        except OSError:
            continue
        for entry in entries:
            try:
                status = entry.stat()
            except OSError:
                continue
            if stat.S_IFMT(status.st_mode) == kind and status.st_rdev == number:
                return os.path.realpath(entry.path)
    return ""
