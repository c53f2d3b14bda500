"""``orchestra watch``: act on changed files until Ctrl-C."""

from __future__ import annotations

import select
import signal
from functools import partial

from orchestra.cli.build_progress import open_build_progress
from orchestra.cli.exit_codes import INTERRUPTED
from orchestra.cli.relay import Signals
from orchestra.cli.render.watch_lines import WatchLines
from orchestra.record import replace
from orchestra.stacks.mail import Answered, Failed, Mail
from orchestra.stacks.watch import Stop, Watch, WatchOptions, find_rules

TYPE_CHECKING = False
if TYPE_CHECKING:
    from orchestra.cli.invocation import Invocation
    from orchestra.stacks.watching.events import WatchEvent


def run(invocation: Invocation) -> int:
    """Return 130 after Ctrl-C, and an error's exit code if the stack cannot be brought up. The containers stay."""
    values, context = invocation.values, invocation.context
    context.need_privileges()
    rules = find_rules(context, WatchOptions(tuple(values["services"])))
    mail: Mail[WatchEvent] = Mail()
    watch = Watch(context, rules, partial(mail.tell, "watch"), prune=values["prune"])
    if not values["no_up"] and (code := _bring_up(invocation)):
        return code
    stop = Stop()
    lines = WatchLines(lambda: open_build_progress(invocation, quiet=values["quiet"]))
    with Signals(signal.SIGINT, signal.SIGTERM) as signals, lines:
        mail.ask("watch", lambda: watch.run(stop))
        poll = select.poll()
        for source in (signals, mail):
            poll.register(source, select.POLLIN)
        while True:
            poll.poll()
            for letter in mail.read():
                match letter:
                    case Failed(_, error):
                        raise error
                    case Answered(_, event) if event is not None:
                        lines.show(event)
            if signals.read():
                stop.stop()
                return INTERRUPTED


def _bring_up(invocation: Invocation) -> int:
    from orchestra.cli.up import begin, bring_up
    from orchestra.model.project import Chosen
    from orchestra.stacks.up import UpOptions

    quiet = {**invocation.shared, "progress": "quiet"} if invocation.values["quiet"] else invocation.shared
    invocation = replace(invocation, shared=quiet)
    options = UpOptions(Chosen(tuple(invocation.values["services"])))
    return bring_up(invocation, begin(invocation, options), options)
