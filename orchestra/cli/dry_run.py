"""``--dry-run``: show what a command would do, in the form of ``orchestra plan``, and change nothing."""

from __future__ import annotations

from importlib import import_module

from orchestra.cli.table import find_command
from orchestra.errors import UserError
from orchestra.visible import visible

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from orchestra.cli.invocation import Invocation
    from orchestra.model.event import Event
    from orchestra.model.project import Chosen
    from orchestra.model.request import Changes
    from orchestra.stacks.plan import PlanResult

CHANGE_NOTHING = frozenset(
    {
        *("ps", "top", "stats", "port", "volumes", "images", "ls", "version", "logs", "config", "plan", "events"),
        *("doctor", "completion", "system df", "image ls", "image inspect", "image history"),
        *(
            "graph",
            "inspect",
            "history",
            "why",
            "status",
            "timeline",
            "metrics",
            "help",
            "import",
            "volume ls",
            "volume inspect",
            "network ls",
            "network inspect",
        ),
    }
)
"""Commands that do the same with and without it."""


def run_dry(invocation: Invocation) -> int:
    """Raises UserError for a command whose effects cannot be predicted."""
    if invocation.command in CHANGE_NOTHING:
        return _run(invocation)
    preview = PREVIEWS.get(invocation.command)
    if preview is None:
        known = ", ".join(sorted(PREVIEWS))
        raise UserError(f"--dry-run: {invocation.command} has no preview", hint=f"it works with {known}")
    return preview(invocation)


def _run(invocation: Invocation) -> int:
    command = find_command(invocation.command)
    assert command is not None
    code: int = import_module(f"orchestra.cli.{command.module}").run(invocation)
    return code


def _up(invocation: Invocation) -> int:
    from orchestra.cli.changes import read_changes, read_chosen

    return _show_up(invocation, read_chosen(invocation.values), read_changes(invocation.values))


def _watch(invocation: Invocation) -> int:
    """What it does before it watches."""
    from orchestra.model.project import Chosen
    from orchestra.model.request import Changes

    if invocation.values["no_up"]:
        return _transfer("", ())
    return _show_up(invocation, Chosen(tuple(invocation.values["services"])), Changes())


def _create(invocation: Invocation) -> int:
    from orchestra.cli.changes import read_chosen, read_creation

    return _show_up(invocation, read_chosen(invocation.values), read_creation(invocation.values))


def _scale(invocation: Invocation) -> int:
    if invocation.values["driver"]:
        from orchestra.cli.deploy import scale

        return scale(invocation, dry_run=True)
    from orchestra.cli.changes import read_scaling
    from orchestra.model.request import Changes

    return _show_up(invocation, read_scaling(invocation.values), Changes())


def _apply(invocation: Invocation) -> int:
    from orchestra.stacks.apply import plan_again

    return _show(plan_again(invocation.context, invocation.values["plan"]))


def _rollback(invocation: Invocation) -> int:
    if invocation.values["driver"]:
        from orchestra.cli.deploy import roll_back

        return roll_back(invocation, dry_run=True)
    from orchestra.cli.history import parse_revision
    from orchestra.cli.rollback import read_going_back
    from orchestra.stacks.plan import PlanOptions, plan
    from orchestra.stacks.rollback import begin_rollback

    number = parse_revision(invocation.values["revision"])
    prepared = begin_rollback(invocation.context, number).beginning.prepared
    return _show(plan(invocation.context, prepared, PlanOptions(changes=read_going_back(invocation.values))))


def _show_up(invocation: Invocation, chosen: Chosen, changes: Changes) -> int:
    from orchestra.cli.plan import plan_up
    from orchestra.stacks.plan import PlanOptions

    return _show(plan_up(invocation, PlanOptions(chosen, changes)))


def _show(result: PlanResult) -> int:
    from orchestra.cli.plan import print_text

    print_text(result)
    return 1 if result.preview.failed else 0


def _stop(invocation: Invocation) -> int:
    from orchestra.stacks.life_cycle import StopOptions
    from orchestra.stacks.life_cycle_plan import plan_stop

    return _show(plan_stop(invocation.context, invocation.options(StopOptions)))


def _start(invocation: Invocation) -> int:
    from orchestra.stacks.life_cycle import StartOptions
    from orchestra.stacks.life_cycle_plan import plan_start

    return _show(plan_start(invocation.context, invocation.options(StartOptions)))


def _restart(invocation: Invocation) -> int:
    from orchestra.stacks.life_cycle import RestartOptions
    from orchestra.stacks.life_cycle_plan import plan_restart

    return _show(plan_restart(invocation.context, invocation.options(RestartOptions)))


def _rm(invocation: Invocation) -> int:
    from orchestra.stacks.life_cycle_plan import plan_rm
    from orchestra.stacks.rm import RemoveOptions

    return _show(plan_rm(invocation.context, invocation.options(RemoveOptions), stops=invocation.values["stop"]))


def _down(invocation: Invocation) -> int:
    if invocation.values["driver"]:
        from orchestra.cli.elsewhere import preview_down

        return preview_down(invocation)
    from orchestra.cli.plan import print_text
    from orchestra.stacks.down import DownOptions, find_stack_for_down, images_to_remove
    from orchestra.stacks.plan import plan_down

    context, options = invocation.context, invocation.options(DownOptions)
    known = find_stack_for_down(context, options)[0]
    print_text(plan_down(context, known, options))
    for image in images_to_remove(context, known, options):
        print(visible(f"then remove image/{image}  asked for by --rmi, if it is there"))
    return 0


def _pull(invocation: Invocation) -> int:
    from orchestra.stacks.images.library import open_library
    from orchestra.stacks.images.pull import PullOptions, choose_images

    context, options = invocation.context, invocation.options(PullOptions)
    return _transfer("pull", choose_images(context, open_library(context), options, _tell_skipped))


def _push(invocation: Invocation) -> int:
    from orchestra.stacks.images.push import PushOptions, choose_images

    return _transfer("push", choose_images(invocation.context, invocation.options(PushOptions), _tell_skipped))


def _deploy(invocation: Invocation) -> int:
    from orchestra.cli.deploy import preview

    return preview(invocation)


def _build(invocation: Invocation) -> int:
    from orchestra.stacks.build_choice import BuildOptions, choose_builds

    specs = choose_builds(invocation.context, invocation.options(BuildOptions))
    return _transfer("build", [spec.image for spec in specs])


def _publish(invocation: Invocation) -> int:
    from orchestra.record import replace

    return _run(replace(invocation, values={**invocation.values, "dry_run": True}))


def _kill(invocation: Invocation) -> int:
    from orchestra.stacks.life_cycle import KillOptions
    from orchestra.stacks.life_cycle_plan import plan_kill

    options = invocation.options(KillOptions)
    return _each("kill", plan_kill(invocation.context, options), f"with signal {options.signal}")


def _pause(invocation: Invocation) -> int:
    from orchestra.stacks.life_cycle_plan import plan_pause

    return _each("pause", plan_pause(invocation.context, invocation.values["services"]))


def _unpause(invocation: Invocation) -> int:
    from orchestra.stacks.life_cycle_plan import plan_unpause

    return _each("unpause", plan_unpause(invocation.context, invocation.values["services"]))


def _exec(invocation: Invocation) -> int:
    if invocation.values["driver"]:
        raise UserError("--dry-run: exec has no preview with --driver")
    from orchestra.cli.exec import read_options
    from orchestra.cli.warnings import warn_of_damage
    from orchestra.stacks.exec import find_target

    options = read_options(invocation.values, invocation.context.given_variables, terminal=False)
    target = find_target(invocation.context, options, lambda seen: warn_of_damage(seen.damage))
    return _each("exec", [target.name], " ".join(options.command))


def _cp(invocation: Invocation) -> int:
    from orchestra.stacks.cp import CopyOptions, find_transfer

    for each in find_transfer(invocation.context, invocation.options(CopyOptions)).copies:
        print(visible(f"{'copy':7}{each.source} to {each.destination}"))
    return 0


def _commit(invocation: Invocation) -> int:
    from orchestra.stacks.commit import CommitOptions, find_committed

    options = invocation.options(CommitOptions)
    _home, container, name = find_committed(invocation.context, options)
    return _each("commit", [container.name], f"to image/{name}" if name else "to an image without a name")


def _export(invocation: Invocation) -> int:
    from orchestra.stacks.export import ExportOptions, find_exported

    _home, container = find_exported(invocation.context, invocation.options(ExportOptions))
    return _each("export", [container.name], f"to {invocation.values['output'] or 'standard output'}")


def _run_one_off(invocation: Invocation) -> int:
    """What comes before it, in the form of ``plan``, and its container."""
    from orchestra.cli.plan import plan_up, print_text
    from orchestra.cli.run import read_options
    from orchestra.model.project import Chosen
    from orchestra.stacks.plan import PlanOptions
    from orchestra.stacks.run import dependencies_of, prepare_run

    options = read_options(invocation.values, invocation.context)
    one_off, prepared = prepare_run(invocation.context, options, dry=True)
    if dependencies := dependencies_of(one_off, prepared):
        print_text(plan_up(invocation, PlanOptions(Chosen(dependencies))))
    command = " ".join(one_off.spec.command or ())
    return _each("then run", [one_off.spec.name], f"{one_off.spec.image}  {command}".rstrip())


def _enable(invocation: Invocation) -> int:
    from orchestra.stacks.boot.enable import check_enable, choose_units
    from orchestra.stacks.boot.unit import render

    units = choose_units(invocation.context, of_user=invocation.values["user"])
    unit = check_enable(invocation.context, units)
    print(visible(f"write {units.path(unit.stack)}\n"))
    print(render(unit, units.target), end="")
    return 0


def _disable(invocation: Invocation) -> int:
    from orchestra.stacks.boot.enable import choose_units, find_enabled

    units = choose_units(invocation.context, of_user=invocation.values["user"])
    stack = find_enabled(invocation.context, units)
    print("nothing to do" if stack is None else visible(f"remove {units.path(stack)}"))
    return 0


def _recover(invocation: Invocation) -> int:
    from orchestra.stacks.boot.recover import name_stack
    from orchestra.stacks.plan import plan_change

    context = invocation.context
    return _show(plan_change(context, name_stack(context), lambda current, _now: current))


def _each(verb: str, containers: Collection[str], how: str = "") -> int:
    for name in containers:
        print(visible(f"{f'{verb} ':7}container/{name}  {how}".rstrip()))
    if not containers:
        print("nothing to do")
    return 0


def _tell_skipped(event: Event) -> None:
    from orchestra.cli.render.progress import Plain

    Plain().hear(event)


def _transfer(verb: str, images: Collection[str]) -> int:
    for image in images:
        print(visible(f"{verb:7}image/{image}"))
    if not images:
        print("nothing to do")
    return 0


PREVIEWS: dict[str, Callable[[Invocation], int]] = {
    "up": _up,
    "watch": _watch,
    "create": _create,
    "scale": _scale,
    "rollback": _rollback,
    "apply": _apply,
    "start": _start,
    "stop": _stop,
    "restart": _restart,
    "rm": _rm,
    "down": _down,
    "deploy": _deploy,
    "build": _build,
    "pull": _pull,
    "push": _push,
    "publish": _publish,
    "kill": _kill,
    "pause": _pause,
    "unpause": _unpause,
    "exec": _exec,
    "cp": _cp,
    "commit": _commit,
    "export": _export,
    "run": _run_one_off,
    "enable": _enable,
    "disable": _disable,
    "recover": _recover,
}
