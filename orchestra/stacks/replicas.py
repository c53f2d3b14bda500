"""The containers of one service that a command affects, running or not. Standard library only."""

from __future__ import annotations

from orchestra.errors import UserError
from orchestra.stacks.containers import Seen, find_stack, ignore, observe_containers, survey

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from orchestra.home import StackHome
    from orchestra.model.observed import Container
    from orchestra.stacks.context import Context


def find_replicas(
    context: Context,
    service: str,
    index: int | None,
    tell: Callable[[Seen], None] = ignore,
    *,
    one_offs: bool = False,
) -> tuple[StackHome, list[Container]]:
    """Sorted by index; only one if ``index`` is given and not 0. one_offs: include those of one-off commands, last.

    Raises UserError if there is none.
    """
    known = find_stack(context)
    containers = observe_containers(context, known.stack)
    survey(known, containers, [service], tell)
    return context.home.stack(known.stack), choose_replicas(containers, service, index, one_offs=one_offs)


def choose_replicas(
    containers: Sequence[Container], service: str, index: int | None, *, one_offs: bool = False
) -> list[Container]:
    """The containers that exist: one whose creation failed has only a record. Raises UserError."""
    made = (c for c in containers if c.service == service and c.config_hash and (one_offs or not c.one_off))
    replicas = sorted(made, key=lambda c: (c.one_off, c.index, c.name))
    if not replicas:
        raise UserError(f'service "{service}" has no container', hint="orchestra up makes one")
    if not index:
        return replicas
    chosen = [container for container in replicas if container.index == index]
    if not chosen:
        indices = ", ".join(str(container.index) for container in replicas if not container.one_off)
        raise UserError(f'service "{service}" has no container {index}', hint=f"--index may be {indices}")
    return chosen
