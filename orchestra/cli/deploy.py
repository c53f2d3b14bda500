"""``orchestra deploy``: make a cluster run the stack; and ``plan``, ``scale`` and ``rollback`` with ``--driver``."""

from __future__ import annotations

import json
import sys

from orchestra.cli.changes import parse_scale
from orchestra.cli.cluster_rules import read_where
from orchestra.cli.elsewhere import tell
from orchestra.cli.warnings import warn_of_notes
from orchestra.cluster.change import Terms
from orchestra.errors import UserError
from orchestra.stacks.cluster import again
from orchestra.stacks.cluster.deploy import deploy
from orchestra.stacks.cluster.passes import Asked
from orchestra.visible import visible

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from orchestra.cli.invocation import Invocation
    from orchestra.stacks.cluster.passes import Effected

CHANGES = 2
UNCHANGED = "unchanged"


def run(invocation: Invocation) -> int:
    _deploy(invocation, dry_run=False)
    return 0


def preview(invocation: Invocation) -> int:
    """What ``--dry-run`` shows: a diff for each object that would change."""
    _deploy(invocation, dry_run=True)
    return 0


def _deploy(invocation: Invocation, *, dry_run: bool) -> None:
    values = invocation.values
    terms = Terms(
        force=values["force_conflicts"],
        dry=dry_run,
        wait=not values["no_wait"],
        seconds=values["wait_timeout"],
        roll_back=not values["no_rollback"],
    )
    done = deploy(
        _asked(invocation, terms),
        lambda notes: warn_of_notes(invocation, notes),
        push=values["push"],
        with_logins=values["with_registry_auth"],
    )
    show_effects(done, dry_run=dry_run)


def show_plan(invocation: Invocation) -> int:
    """``plan``: what ``deploy`` would change; exit code 2 if that is anything."""
    asked = _asked(invocation, Terms(dry=True))
    form = invocation.values["format"]
    if form not in ("text", "json"):
        raise UserError(f"--format {form} draws containers of this machine", hint="use text or json with --driver")
    done = deploy(asked, lambda notes: warn_of_notes(invocation, notes))
    changed = [one for one in done if one.effect != UNCHANGED]
    if form == "json":
        print(
            json.dumps(
                [{"name": one.name, "effect": one.effect, "difference": one.difference} for one in changed], indent=2
            )
        )
    else:
        show_effects(done, dry_run=True)
    return CHANGES if changed else 0


def scale(invocation: Invocation, *, dry_run: bool = False) -> int:
    """``scale``."""
    numbers = parse_scale(invocation.values["scale"])
    show_effects(again.scale(_asked(invocation, Terms(dry=dry_run)), numbers), dry_run=dry_run)
    return 0


def roll_back(invocation: Invocation, *, dry_run: bool = False) -> int:
    """``rollback``."""
    terms = Terms(dry=dry_run, seconds=invocation.values["wait_timeout"] or Terms().seconds)
    show_effects(again.rollback(_asked(invocation, terms)), dry_run=dry_run)
    return 0


def _asked(invocation: Invocation, terms: Terms) -> Asked:
    return Asked(context=invocation.context, where=read_where(invocation), terms=terms, tell=tell)


def show_effects(done: Sequence[Effected], *, dry_run: bool) -> None:
    changed = [one for one in done if one.effect != UNCHANGED]
    if dry_run:
        for one in changed:
            print(f"{one.name} {one.effect}")
            sys.stdout.write(visible(one.difference, lines=True))
    print(f"{len(changed)} of {len(done)} objects {'would change' if dry_run else 'changed'}", file=sys.stderr)
