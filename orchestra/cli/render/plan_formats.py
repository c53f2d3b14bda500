"""A plan as a drawing for Graphviz and Mermaid: an arrow leads from an action to what comes after it. Pure."""

from __future__ import annotations

from orchestra.cli.render.graph_formats import escaped, marked_up, quoted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from orchestra.stacks.plan import Step

COLORS = {"pull": "#6e7781", "create": "#1a7f37", "connect": "#1a7f37", "start": "#0969da", "hook": "#0969da"}
ENDING = "#cf222e"
"""The colour of what ends something, or takes it away."""


def render_dot(stack: str, steps: Sequence[Step]) -> str:
    """In the DOT language. Actions of one round are side by side; the reason of each is its tooltip."""
    lines = [f"digraph {quoted(stack)} {{", "  node [fontname=monospace, shape=box]"]
    for place, step in enumerate(steps):
        label = f"{escaped(step.verb)}\\n{escaped(str(step.resource))}"
        color, tip = COLORS.get(step.verb, ENDING), quoted(step.reason)
        lines.append(f'  n{place} [label="{label}", color="{color}", tooltip={tip}]')
    lines += [f"  n{before} -> n{place}" for place, step in enumerate(steps) for before in step.after]
    for number in sorted({step.number for step in steps}):
        beside = " ".join(f"n{place};" for place, step in enumerate(steps) if step.number == number)
        lines.append(f"  {{rank=same; {beside}}}")
    return "\n".join([*lines, "}", ""])


def render_mermaid(steps: Sequence[Step]) -> str:
    """As a flowchart. The reason of each action is below its name."""
    lines = ["flowchart TD"]
    for place, step in enumerate(steps):
        words = "<br/>".join(map(marked_up, (f"{step.verb} {step.resource}", step.reason)))
        lines.append(f'  n{place}["{words}"]')
    lines += [f"  n{before} --> n{place}" for place, step in enumerate(steps) for before in step.after]
    lines += [f"  style n{place} stroke:{COLORS.get(step.verb, ENDING)}" for place, step in enumerate(steps)]
    return "\n".join([*lines, ""])
