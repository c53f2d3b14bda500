"""What there is of a stack right now, for commands that only look."""

from __future__ import annotations

from orchestra.cli.asking import client_of, request

TYPE_CHECKING = False
if TYPE_CHECKING:
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
