"""``orchestra push``: send the images of services to their registries."""

from __future__ import annotations

from functools import partial

from orchestra.cli.image.parallel import run_for_services
from orchestra.stacks.images.push import PushOptions, push

TYPE_CHECKING = False
if TYPE_CHECKING:
    from orchestra.cli.invocation import Invocation


def run(invocation: Invocation) -> int:
    return run_for_services(invocation, partial(push, invocation.context, invocation.options(PushOptions)))
