"""What there is of a stack right now, for commands that only look."""

from __future__ import annotations

import sys

from orchestra.cli.stack_file import StackFile
from orchestra.errors import ComposeFileNotFound, UserError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Any

    from orchestra.cli.invocation import Invocation
    from orchestra.model.observed import Container


def look_at_containers(invocation: Invocation, stack: str) -> list[dict[str, Any]]:
    """Every container of the stack by name, as an encoded ``Container``.

    Of local ones the files tell, whether or not a supervisor lives.
    """
    if invocation.driver == "local":
        from orchestra.driver.local.look import look_at_containers

        found = look_at_containers(invocation.home.stack(stack))
        warn_of_damage([f"container {each['name']}: {each['damage']}" for each in found if "damage" in each])
        return found
    from orchestra.cli.asking import client_of, request

    result = client_of(invocation, stack).ask_if_running(request("observe")) or {"observed": {}}
    return sorted(result["observed"].get("containers", {}).values(), key=lambda encoded: str(encoded["name"]))


def observe_containers(invocation: Invocation, stack: str) -> list[Container]:
    """The same, decoded."""
    if invocation.driver == "local":
        from orchestra.driver.local.observe import observe_containers

        observed = list(observe_containers(invocation.home.stack(stack)).values())
        warn_of_damage([f"container {each.name}: {each.damage}" for each in observed if each.damage])
        return observed
    from orchestra.model.codec import decode
    from orchestra.model.observed import Container

    return [decode(Container, encoded) for encoded in look_at_containers(invocation, stack)]


def warn_of_damage(texts: Iterable[str]) -> None:
    """Name files of the stack that cannot be read, on standard error."""
    for text in texts:
        print(f"warning: {text}", file=sys.stderr)


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


def check_known(services: Sequence[str], declared: Iterable[str] | None, existing: Iterable[str]) -> None:
    """Raise UserError for a service that neither the file nor any container knows. existing: services of containers."""
    known = {*existing, *(declared or ())}
    for service in services:
        if service not in known:
            hint = f"services are {', '.join(sorted(known))}" if known else "nothing is up"
            raise UserError(f"no such service: {service}", hint=hint)
