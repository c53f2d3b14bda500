"""``orchestra api``: serve Docker's Engine API on a socket."""

from __future__ import annotations

import sys

from orchestra.errors import EnvironmentLack, UserError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from orchestra.cli.invocation import Invocation

WARNING = "a client of this socket can do everything that this user can do on this machine"


def run(invocation: Invocation) -> int:
    try:
        import h11  # noqa: F401 - whether it is there
    except ImportError as error:
        raise EnvironmentLack("the API needs the package h11", hint="pip install 'orchestra[api]'") from error
    from orchestra.engine_api.serve import ServeOptions, serve

    values = invocation.values
    if values["idle"] is not None and values["idle"] < 1:
        raise UserError("--idle takes a number of seconds from 1 up")
    options = ServeOptions(values["socket"], values["idle"], values["read_only"], tuple(values["stacks"]))

    def ready(address: str) -> None:
        print(f"listening on {address}", file=sys.stderr)
        if not options.read_only:
            print(f"warning: {WARNING}", file=sys.stderr, flush=True)

    serve(invocation.context, options, ready)
    return 0
