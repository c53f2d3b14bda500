"""``orchestra pull``: fetch the images of services, each once, several at a time."""

from __future__ import annotations

from functools import partial

from orchestra.cli.image.parallel import run_for_services
from orchestra.stacks.images.pull import PullOptions, pull

TYPE_CHECKING = False
if TYPE_CHECKING:
    from orchestra.cli.invocation import Invocation


def run(invocation: Invocation) -> int:
    work = partial(pull, invocation.context, invocation.options(PullOptions), at_once=invocation.shared["parallel"])
    return run_for_services(invocation, work)
