"""What there is of a stack right now, for commands that only look."""

from __future__ import annotations

from orchestra.cli.asking import client_of, request
from orchestra.cli.stack_file import StackFile
from orchestra.errors import ComposeFileNotFound, UserError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from orchestra.cli.invocation import Invocation
    from orchestra.state.observed import Container


def observe_containers(invocation: Invocation, stack: str) -> list[Container]:
    """Every container of the stack, by name. Of local ones the files tell, whether or not a supervisor lives."""
    if invocation.driver == "local":
        from orchestra.driver.local.observe import observe_containers

        return sorted(observe_containers(invocation.home.stack(stack)).values(), key=lambda c: c.name)
    result = client_of(invocation, stack).ask_if_running(request("observe"))
    if result is None:
        return []
    from orchestra.state.codec import decode
    from orchestra.state.observed import Observed

    return sorted(decode(Observed, result["observed"]).containers.values(), key=lambda c: c.name)


def find_stack(invocation: Invocation) -> tuple[str, tuple[str, ...] | None]:
    """The stack's name and the services its file declares; None for these when there is only ``-p`` to go by."""
    name = invocation.shared["project_name"]
    try:
        identity = StackFile(invocation).identify()
    except ComposeFileNotFound:
        if not name or invocation.shared["files"]:
            raise
        return name, None
    return identity.stack, identity.services


def check_known(services: Sequence[str], declared: Sequence[str] | None, containers: Sequence[Container]) -> None:
    """Raise UserError for a service that neither the file nor any container knows."""
    known = {container.service for container in containers}.union(declared or ())
    for service in services:
        if service not in known:
            hint = f"services are {', '.join(sorted(known))}" if known else "nothing is up"
            raise UserError(f"no such service: {service}", hint=hint)
