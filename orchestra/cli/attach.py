"""``orchestra attach``: this terminal, or these pipes, as the standard streams of a container that runs."""

from __future__ import annotations

import sys

from orchestra.cli.attachment import HEARD, Detached, Streams
from orchestra.cli.relay import Signals
from orchestra.cli.warnings import warn_of_damage
from orchestra.errors import EnvironmentLack, UserError
from orchestra.stacks.attach import attach_to
from orchestra.stacks.detach_keys import parse_detach_keys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from orchestra.cli.invocation import Invocation

DETACHED = 1
"""As of docker attach."""


def run(invocation: Invocation) -> int:
    """The exit code of the container."""
    values = invocation.values
    keys, stdin = parse_detach_keys(values["detach_keys"]), not values["no_stdin"]
    found = attach_to(
        invocation.context, values["service"], values["replica"], lambda seen: warn_of_damage(seen.damage)
    )
    with Signals(*HEARD) as signals, found as attachment:
        if attachment.terminal >= 0 and stdin and not sys.stdin.isatty():
            hint = "run it on a terminal, or with --no-stdin"
            raise UserError("the container has a terminal, and standard input is none", hint=hint)
        try:
            Streams(signals, stdin=stdin, passes=values["sig_proxy"], keys=keys).relay(attachment)
        except Detached:
            print(f"\r\nDetached from {values['service']}", file=sys.stderr)
            return DETACHED
        if not attachment.ended or attachment.exit_code is None:
            hint = "its shim was killed; run orchestra attach again"
            raise EnvironmentLack("the connection to the container broke off", hint=hint)
        return attachment.exit_code
