"""Ways to turn an OCI bundle into a running container.

What a runtime must do, whoever implements it: the words and states are the OCI runtime specification's. A *directory*
holds the bundle and everything that becomes known of the container, see ``orchestra.shim``. All calls block and are
idempotent where their result already holds; errors are ``orchestra.errors.DriverError``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from orchestra.shim.client import Entering, Execution, State


class Runtime(Protocol):
    def create(self, directory: str) -> tuple[str, ...]:
        """Everything up to the program. Returns what this machine could not apply, as sentences."""
        ...

    def start(self, directory: str) -> None:
        """Run the program of a created container."""
        ...

    def run(self, directory: str) -> tuple[str, ...]:
        """Create and start. Returns when the program runs, with what this machine could not apply."""
        ...

    def state(self, directory: str) -> State: ...

    def kill(self, directory: str, signal: int) -> None:
        """Send a signal to the first process. Nothing happens when it has ended."""
        ...

    def delete(self, directory: str) -> None:
        """End what is left of the container and remove all of it but the directory."""
        ...

    def enter(self, directory: str, process: Mapping[str, Any], stdio: Sequence[int]) -> Entering:
        """Have one more program run in a running container; closing what is returned kills it on its way there."""
        ...

    def begun(self, directory: str, entering: Entering) -> Execution:
        """Wait until that program runs; it is killed when the execution is closed."""
        ...
