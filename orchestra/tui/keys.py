"""The first and the last line of the dashboard, and its page of help. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.text import Text
from textual.binding import Binding

from orchestra.tui.rows import BAD, FAINT
from orchestra.visible import visible

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from orchestra.stacks.overview import StackView
    from orchestra.tui.board import Board

TABS = {"services": "Services", "logs": "Logs", "plan": "Plan", "events": "Events"}
ACTING = (
    ("r", "restart"),
    ("s", "stop"),
    ("a", "start"),
    ("c", "scale"),
    ("x", "shell"),
    ("o", "open"),
    ("e", "edit"),
    ("u", "apply"),
)
KEYS = {
    "services": (("⏎", "logs"), *ACTING, ("/", "find")),
    "logs": (
        ("/", "search"),
        ("n", "next"),
        ("f", "follow"),
        ("l", "level"),
        ("t", "filter"),
        ("v", "service"),
        ("x", "shell"),
    ),
    "plan": (("u", "apply"), ("e", "edit"), ("↑↓", "scroll")),
    "events": (("↑↓", "scroll"),),
}
ALWAYS = (("?", "keys"), ("q", "quit"))
HELP = """\
1 2 3 4  services, logs, plan, events (or Tab)
Arrows   move; left and right in long lines
Enter    logs of the service;
         on a stack: hide or show its services
q        quit (or Ctrl-C); the stacks go on

On the chosen service, or on all of the stack
whose line is chosen:
r  restart       s  stop       a  start
c  scale: change how many containers it has
x  a shell in a container
o  open its published port in a browser
e  edit the Compose file, look at the plan,
   and apply it if you say so
u  look at what up would do, and apply it

Services
/  show only names with a text; Escape ends it

Logs
/  search        n  next       N  previous
f  follow        l  level      t  filter
v  one service or all
Escape  end search and filter
"""
GAP = "  "


def bindings(views: Sequence[str]) -> Iterator[Binding]:
    """The keys of all views; each view may have others."""
    for number, view in enumerate(views, 1):
        yield Binding(str(number), f"show('{view}')", TABS[view])
    for key, action, title, priority in (
        ("tab", "turn(1)", "Next view", True),
        ("shift+tab", "turn(-1)", "Previous view", True),
        ("ctrl+c", "quit", "Quit", True),
        ("q", "quit", "Quit", False),
        ("question_mark", "help", "Help", False),
        ("enter", "open", "Open", False),
        ("r", "act('restart')", "Restart", False),
        ("s", "act('stop')", "Stop", False),
        ("a", "act('start')", "Start", False),
        ("c", "scale", "Scale", False),
        ("x", "shell", "Shell", False),
        ("o", "browse", "Open port", False),
        ("e", "edit", "Edit file", False),
        ("u", "apply", "Apply", False),
        ("slash", "find", "Find", False),
        ("escape", "unfind", "Show all", False),
    ):
        yield Binding(key, action, title, show=False, priority=priority)


def tabs(view: str, board: Board, stack: StackView | None, width: int) -> Text:
    """The views, of which one is shown, and the chosen stack."""
    line = Text()
    for number, (name, title) in enumerate(TABS.items(), 1):
        style = "bold reverse" if name == view else ""
        line.append(f" {number} {title} ", style)
    if stack is None:
        return line
    blocked = len(board.blocked(stack.name))
    right = visible(stack.name)
    warning = f"{blocked} waiting " if blocked and view != "plan" else ""
    room = width - len(line) - len(right) - len(warning) - 1
    if room >= 1:
        line.append(" " * room)
        line.append(warning, BAD)
        line.append(right, "bold")
    return line


def tab_at(column: int) -> str:
    """The view whose title is there in the first line; empty beside them."""
    end = 0
    for number, (name, title) in enumerate(TABS.items(), 1):
        end += len(f" {number} {title} ")
        if column < end:
            return name
    return ""


def footer(view: str, width: int) -> Text:
    """As many keys as fit; those that always are come last."""
    keys, always = list(KEYS[view]), list(ALWAYS)
    while keys and _length([*keys, *always]) > width:
        keys.pop()
    line = Text()
    for key, word in [*keys, *always]:
        line.append(key, "bold")
        line.append(f" {word}{GAP}", FAINT)
    line.right_crop(len(GAP))
    return line


def _length(keys: list[tuple[str, str]]) -> int:
    return sum(len(key) + 1 + len(word) for key, word in keys) + len(GAP) * (len(keys) - 1)
