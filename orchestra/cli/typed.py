"""The Typer application, generated from the table: help, usage errors, and whatever else ``parse`` leaves to it."""

from __future__ import annotations

import inspect
import sys
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from orchestra.cli import syntax, table
from orchestra.cli.invocation import Invocation
from orchestra.cli.start import execute
from orchestra.cli.table import find_command

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from orchestra.cli.syntax import Argument, Command, Option

USAGE = 16
"""Exit code of a command line that makes no sense, as Docker Compose's was; 2 is taken by ``plan``."""


def run_typed(argv: Sequence[str]) -> int:
    """Parse ``argv`` by Typer and run it; the exit code."""
    reached = False

    def run(invocation: Invocation) -> int:
        nonlocal reached
        reached = True
        return execute(invocation)

    try:
        application(run)(list(argv), prog_name="orchestra")
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else 1
        if code == 2 and not reached:
            _point_forward(argv)
        # Once a command was reached, 2 is its own code and not Typer's word for a usage error.
        return USAGE if code == 2 and not reached else code
    return 0


def _point_forward(argv: Sequence[str]) -> None:
    """Say of a global option where it stands, when it is only in the wrong place."""
    words = list(argv)
    first = next((position for position, word in enumerate(words) if find_command(word)), len(words))
    command = find_command(words[first]) if first < len(words) else None
    own = {flag for option in command.options for flag in option.flags} if command else set()
    shared = {flag for option in table.GLOBAL for flag in option.flags} - own
    for word in words[first:]:
        if (flag := word.partition("=")[0]) in shared:
            print(f"{flag} stands before the command: orchestra {flag} … {words[first]}", file=sys.stderr)
            return


def application(execute: Callable[[Invocation], int]) -> typer.Typer:
    """Every command of the table; each hands its ``Invocation`` to ``execute`` and exits with what that returns."""
    app = typer.Typer(
        rich_markup_mode=None,
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
        help="Run multi-container stacks from Compose files, with no daemon.",
    )
    app.callback()(_function(table.GLOBAL, (), _keep_shared))
    groups = {name: typer.Typer(no_args_is_help=True) for name in table.GROUPS}
    for name, group in groups.items():
        app.add_typer(group, name=name, help=table.GROUPS[name])
    for command in table.COMMANDS:
        first, _, second = command.name.rpartition(" ")
        settings = {"allow_interspersed_args": False} if command.takes_rest else {}
        register = (groups[first] if first else app).command(second, help=command.help, context_settings=settings)
        register(_function(command.options, command.arguments, _runner(command, execute)))
    return app


def _keep_shared(context: typer.Context, values: dict[str, Any]) -> None:
    context.obj = values


def _runner(command: Command, execute: Callable[[Invocation], int]) -> Callable[[typer.Context, dict[str, Any]], None]:
    def run(context: typer.Context, values: dict[str, Any]) -> None:
        raise typer.Exit(execute(Invocation(command.name, context.obj, values)))

    return run


def _function(
    options: Sequence[Option], arguments: Sequence[Argument], body: Callable[[typer.Context, dict[str, Any]], None]
) -> Callable[..., None]:
    """A function with the signature that makes Typer offer these options and arguments."""
    lists = {option.name for option in options if option.kind == syntax.LIST}
    lists |= {argument.name for argument in arguments if argument.many}

    def function(context: typer.Context, **values: Any) -> None:
        body(context, {name: list(value or ()) if name in lists else value for name, value in values.items()})

    parameters = [
        inspect.Parameter("context", inspect.Parameter.KEYWORD_ONLY, annotation=typer.Context),
        *map(_option_parameter, options),
        *map(_argument_parameter, arguments),
    ]
    function.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    function.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return function


def _option_parameter(option: Option) -> inspect.Parameter:
    types: dict[str, Any] = {syntax.FLAG: bool, syntax.TEXT: str | None, syntax.NUMBER: int | None}
    type_: Any = types.get(option.kind, list[str] | None)
    if option.choices:
        type_ = Literal[option.choices]
    details = typer.Option(
        *option.flags, help=option.help, metavar=option.metavar or None, hidden=option.hidden, show_default=False
    )
    default = None if option.kind == syntax.LIST else option.initial
    return inspect.Parameter(
        option.name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=Annotated[type_, details]
    )


def _argument_parameter(argument: Argument) -> inspect.Parameter:
    details = typer.Argument(help=argument.help, metavar=argument.metavar, show_default=False)
    type_: Any = list[str] if argument.many else str
    if not argument.is_required:
        type_ = type_ | None
    return inspect.Parameter(
        argument.name,
        inspect.Parameter.KEYWORD_ONLY,
        default=inspect.Parameter.empty if argument.is_required else None,
        annotation=Annotated[type_, details],
    )
