"""``orchestra pull``: fetch the images of services, each once, several at a time."""

from __future__ import annotations

import sys
from functools import partial

from orchestra.cli.image.parallel import run_for_services
from orchestra.stacks.images.pull import PullOptions, pull, to_be_built

TYPE_CHECKING = False
if TYPE_CHECKING:
    from orchestra.cli.invocation import Invocation
    from orchestra.stacks.images.parallel import Failures


def run(invocation: Invocation) -> int:
    context, options = invocation.context, invocation.options(PullOptions)

    def advise(failures: Failures) -> None:
        if services := to_be_built(context, options, failures):
            print("warning: Some service image(s) must be built from source by running:", file=sys.stderr)
            print(f"    orchestra build {' '.join(services)}", file=sys.stderr)

    return run_for_services(invocation, partial(pull, context, options), advise)
