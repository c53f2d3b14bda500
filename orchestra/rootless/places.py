"""The files by which commands, keeper and supervisors of a home find each other."""

from __future__ import annotations

import json

from orchestra.linux import private_files
from orchestra.linux.process import Process, is_alive

TYPE_CHECKING = False
if TYPE_CHECKING:
    from orchestra.home import Home


class Places:
    def __init__(self, home: Home) -> None:
        self.directory = home.rootless
        self.stacks = home.stacks_run
        self.snapshots = home.snapshots

    @property
    def lock(self) -> str:
        """Shared by the commands of the home; the keeper ends once it has it alone."""
        return f"{self.directory}/lock"

    @property
    def launch_lock(self) -> str:
        """Held while a command enters, so that only one starts a keeper."""
        return f"{self.directory}/launch.lock"

    @property
    def network(self) -> str:
        """The home's network namespace, mounted there in its mount namespace."""
        return network_of(self.directory)

    @property
    def log(self) -> str:
        return f"{self.directory}/keeper.log"

    def load_keeper(self) -> Process | None:
        """The keeper; None if there is none alive."""
        try:
            with open(keeper_file(self.directory), encoding="utf-8") as file:
                keeper = Process(*json.load(file))
        except (FileNotFoundError, ValueError):
            return None
        return keeper if is_alive(keeper) else None


def network_of(directory: str) -> str:
    return f"{directory}/network"


def keeper_file(directory: str) -> str:
    return f"{directory}/keeper.json"


def relay_socket(directory: str) -> str:
    """Where the keeper is told which ports lead where."""
    return f"{directory}/relay.sock"


def store_keeper(directory: str, keeper: Process) -> None:
    private_files.store(keeper_file(directory), json.dumps(keeper).encode())
