"""``following.json``: that the files of the stack are followed, and what came of the last change.

Only the supervisor writes it; it goes when the stack goes down, or is no longer followed. Standard library only.
"""

from __future__ import annotations

import json
import os
import sys
from contextlib import suppress

from orchestra.linux import private_files
from orchestra.model.codec import decode, encode
from orchestra.model.following import Following

TYPE_CHECKING = False
if TYPE_CHECKING:
    from orchestra.home import StackHome


def load_following(home: StackHome) -> Following | None:
    """None if the stack is not followed; a damaged file is reported, and counts as none. Raises PermissionError."""
    try:
        with open(home.following, "rb") as file:
            return decode(Following, json.loads(file.read()))
    except FileNotFoundError:
        return None
    except (ValueError, RecursionError) as error:
        print(f"{home.following} cannot be read: {error}: the stack is not followed", file=sys.stderr, flush=True)
        return None


def store_following(home: StackHome, following: Following | None) -> None:
    """Raises OSError."""
    if following is None:
        with suppress(FileNotFoundError):
            os.unlink(home.following)
    else:
        private_files.store(home.following, json.dumps(encode(following)).encode(), durable=True)
