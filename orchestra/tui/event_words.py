"""Events as lines of text. Pure."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from rich.text import Text

from orchestra.stacks.told import Tone, describe_event
from orchestra.tui.rows import BAD, FAINT, GOOD, WAITS
from orchestra.visible import visible

if TYPE_CHECKING:
    from orchestra.model.event import Change

STYLES = {Tone.PLAIN: "", Tone.FAINT: FAINT, Tone.GOOD: GOOD, Tone.WAITS: WAITS, Tone.BAD: BAD}


def event_text(stack: str, event: Change) -> Text:
    """``12:34:56  shop  container shop-web-1: started``; one line."""
    told = describe_event(event)
    line = Text.assemble((f"{time.strftime('%H:%M:%S', time.localtime(event.at))}  ", FAINT))
    line.append(f"{visible(stack)}  ")
    subject = f"{told.subject.kind} {told.subject.name}: " if told.subject else ""
    detail = f" ({told.detail})" if told.detail else ""
    further = f": {'; '.join(told.lines)}" if told.lines else ""
    line.append(visible(f"{subject}{told.what}{detail}{further}"), STYLES[told.tone])
    return line
