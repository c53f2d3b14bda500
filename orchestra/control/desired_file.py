"""``desired.json``: the desired state after the last command, kept so that any supervisor can carry on."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from orchestra.errors import FatalError
from orchestra.linux import private_files
from orchestra.linux.durability import store_durably
from orchestra.model.codec import decode, encode
from orchestra.model.desired import Desired

if TYPE_CHECKING:
    from orchestra.home import StackHome


def load_desired(stack_home: StackHome) -> Desired | None:
    """Return None if no command was ever given. Raises FatalError for a file of another format."""
    try:
        with open(stack_home.desired, "rb") as file:
            return decode(Desired, json.loads(file.read()))
    except FileNotFoundError:
        return None
    except (ValueError, RecursionError) as error:
        hint = "run orchestra up or orchestra down for the whole stack to write it again"
        raise FatalError(f"{stack_home.desired} cannot be read: {error}", hint=hint) from error


def store_desired(stack_home: StackHome, desired: Desired) -> None:
    """Write the whole file or nothing; it is on disk when this returns. It may hold secrets from the environment."""
    private_files.make_directories(stack_home.data)
    store_durably(stack_home.desired, json.dumps(encode(desired), separators=(",", ":")).encode())
