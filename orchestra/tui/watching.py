"""The threads that look at the stacks and hear their supervisors while the dashboard is open."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from orchestra.stacks.hearing import feed_events
from orchestra.stacks.overview import Lookout
from orchestra.tui.sampler import Sampler
from orchestra.tui.strands import Inbox, Strand, in_loop

if TYPE_CHECKING:
    from collections.abc import Sequence

    from orchestra.model.event import Event
    from orchestra.stacks.containers import Known
    from orchestra.stacks.context import Context
    from orchestra.stacks.overview import Overview
    from orchestra.tui.app import Dashboard

EVENTS_WAITING = 5000


class Watching:
    """Calls ``see`` and ``hear`` of the dashboard in its loop."""

    def __init__(self, app: Dashboard, context: Context, stacks: Sequence[str], own: Known | None) -> None:
        self._app, self._context = app, context
        self._looks: Inbox[tuple[Overview, bool]] = Inbox(app, lambda looks: app.see(*looks[-1]), 1)
        self._news: Inbox[tuple[str, Event]] = Inbox(app, app.hear, EVENTS_WAITING)
        self.sampler = Sampler(
            Lookout(context, stacks, own),
            lambda overview, measured: self._looks.put([(overview, measured)]),
            lambda error: in_loop(app, partial(app.fail, error)),
        )
        self._strands: list[Strand] = []
        self._feeds: dict[str, Strand] = {}

    def start(self) -> None:
        self._strands.append(Strand(self._app, self.sampler.run, "looks"))

    def listen(self, stacks: set[str]) -> None:
        """Hear exactly these."""
        for name in stacks - self._feeds.keys():
            feed = partial(feed_events, self._context, name, partial(self.tell, name))
            self._feeds[name] = Strand(self._app, feed, "events")
        for name in self._feeds.keys() - stacks:
            self.keep(self._feeds.pop(name))

    def tell(self, stack: str, event: Event) -> None:
        """In the thread of a feed."""
        self._news.put([(stack, event)])
        self.sampler.wake()

    def keep(self, strand: Strand | None) -> None:
        """Stop it, and see to it that it is over in the end."""
        if strand is not None:
            strand.stop()
            self._strands = [*(each for each in self._strands if each.is_alive), strand]

    def close(self) -> None:
        strands = [*self._strands, *self._feeds.values()]
        for strand in strands:
            strand.stop()
        for strand in strands:
            strand.join()
        self.sampler.close()
