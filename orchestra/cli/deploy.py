"""``orchestra deploy``: make a cluster run the stack."""

from __future__ import annotations

import sys

from orchestra.cli.elsewhere import read_where, tell
from orchestra.cli.warnings import warn_of_notes
from orchestra.cluster.change import Terms
from orchestra.stacks.cluster.deploy import deploy
from orchestra.visible import visible

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from orchestra.cli.invocation import Invocation
    from orchestra.stacks.cluster.deploy import Effected


def run(invocation: Invocation) -> int:
    _deploy(invocation, dry_run=False)
    return 0


def preview(invocation: Invocation) -> int:
    """What ``--dry-run`` shows: a diff for each object that would change."""
    _deploy(invocation, dry_run=True)
    return 0


def _deploy(invocation: Invocation, *, dry_run: bool) -> int:
    """The number of objects that have changed, or would change."""
    values = invocation.values
    terms = Terms(
        force=values["force_conflicts"],
        dry=dry_run,
        wait=not values["no_wait"],
        seconds=values["wait_timeout"],
        roll_back=not values["no_rollback"],
    )
    where = read_where(invocation)
    done = deploy(invocation.context, where, terms, lambda notes: warn_of_notes(invocation, notes), tell)
    return show_effects(done, dry_run=dry_run)


def show_effects(done: Sequence[Effected], *, dry_run: bool) -> int:
    """Returns how many have changed, or would change."""
    changed = [one for one in done if one.effect != "unchanged"]
    if dry_run:
        for one in changed:
            print(f"{one.name} {one.effect}")
            sys.stdout.write(visible(one.difference, lines=True))
    print(f"{len(changed)} of {len(done)} objects {'would change' if dry_run else 'changed'}", file=sys.stderr)
    return len(changed)
