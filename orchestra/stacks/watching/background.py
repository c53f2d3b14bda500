"""A watch beside another command, whose loop reads what it reports as letters of the topic ``watch``."""

from __future__ import annotations

from functools import partial

from orchestra.stacks.watch import Stop, Watch, WatchOptions, find_rules

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from orchestra.model.watch import WatchRules
    from orchestra.stacks.context import Context
    from orchestra.stacks.mail import Mail

TOPIC = "watch"


class BackgroundWatch:
    """It may be begun and ended several times."""

    def __init__(self, context: Context, services: Sequence[str], mail: Mail[Any]) -> None:
        """services: empty for all."""
        self._context = context
        self._options = WatchOptions(tuple(services))
        self._mail = mail
        self._rules: WatchRules | None = None
        self._stop: Stop | None = None

    @property
    def is_on(self) -> bool:
        return self._stop is not None

    def check(self) -> None:
        """Raises what ``find_rules`` raises, before anything is done."""
        self._rules = find_rules(self._context, self._options)

    def begin(self) -> None:
        """Without waiting. What goes wrong is a letter."""
        self._stop = Stop()
        self._mail.ask(TOPIC, partial(self._run, self._stop))

    def end(self) -> None:
        if self._stop is not None:
            self._stop.stop()
            self._stop = None

    def _run(self, stop: Stop) -> None:
        rules = self._rules or find_rules(self._context, self._options)
        Watch(self._context, rules, partial(self._mail.tell, TOPIC)).run(stop)
