"""The Typer application, generated from the table: help, usage errors, and everything else ``parse`` leaves to it."""

from __future__ import annotations

import inspect
import sys
from functools import cache
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from typer._click.exceptions import NoArgsIsHelpError
from typer._click.exceptions import UsageError as TyperUsageError
from typer.core import TyperCommand, TyperGroup

from orchestra.cli import table
from orchestra.cli.examples import render_examples
from orchestra.cli.execute import execute
from orchestra.cli.invocation import Invocation, use_colors
from orchestra.cli.render.errors import render_error
from orchestra.cli.usage import USAGE, explain_usage
from orchestra.command_line.option import FLAG, LIST, NUMBER, TEXT

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from typer._click.core import Command as TyperBase
    from typer._click.core import Context
    from typer._click.formatting import HelpFormatter

    from orchestra.cli.syntax import Argument, Command
    from orchestra.command_line.option import Option


WIDEST = 100
"""Width of the help on a wide terminal."""


class _Command(TyperCommand):
    def format_epilog(self, ctx: Context, formatter: HelpFormatter) -> None:
        _write_examples(ctx, formatter)


class _Group(TyperGroup):
    def get_command(self, ctx: Context, cmd_name: str) -> TyperBase | None:
        return super().get_command(ctx, table.ALIASES.get(cmd_name, cmd_name))

    def format_epilog(self, ctx: Context, formatter: HelpFormatter) -> None:
        _write_examples(ctx, formatter)


def _write_examples(context: Context, formatter: HelpFormatter) -> None:
    formatter.write(render_examples(context.command_path.partition(" ")[2], formatter.width))


def run_typed(argv: Sequence[str]) -> int:
    """Parse ``argv`` with Typer and run it; return the exit code."""
    try:
        return application(execute)(list(argv), prog_name="orchestra", standalone_mode=False) or 0
    except NoArgsIsHelpError as error:
        error.show()
        return USAGE
    except TyperUsageError as error:
        wrong = explain_usage(argv, error)
        print(render_error(wrong, use_colors(sys.stderr)), end="", file=sys.stderr)
        return wrong.exit_code


@cache
def application(execute: Callable[[Invocation], int]) -> TyperBase:
    """Every command of the table; each passes its ``Invocation`` to ``execute`` and exits with the result."""
    app = typer.Typer(
        rich_markup_mode=None,
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"], "max_content_width": WIDEST},
        help="Run multi-container stacks from Compose files, without a daemon.",
        cls=_Group,
    )
    app.callback()(_function(table.GLOBAL, (), _keep_shared))
    groups = {name: typer.Typer(no_args_is_help=True, cls=_Group) for name in table.GROUPS}
    for name, group in groups.items():
        app.add_typer(group, name=name, help=table.GROUPS[name])
    for command in table.COMMANDS:
        first, _, second = command.name.rpartition(" ")
        settings = {"allow_interspersed_args": False} if command.takes_rest else {}
        register = (groups[first] if first else app).command(
            second,
            help=command.help,
            short_help=command.help.partition(";")[0],
            cls=_Command,
            context_settings=settings,
        )
        register(_function(table.options_after(command), command.arguments, _runner(command, execute)))
    return typer.main.get_command(app)


def _keep_shared(context: typer.Context, values: dict[str, Any]) -> None:
    context.obj = values


def _runner(command: Command, execute: Callable[[Invocation], int]) -> Callable[[typer.Context, dict[str, Any]], None]:
    def run(context: typer.Context, values: dict[str, Any]) -> None:
        raise typer.Exit(execute(Invocation(command.name, context.obj, values)))

    return run


def _function(
    options: Sequence[Option], arguments: Sequence[Argument], body: Callable[[typer.Context, dict[str, Any]], None]
) -> Callable[..., None]:
    """A function with the signature from which Typer derives these options and arguments."""
    lists = {option.name for option in options if option.kind == LIST}
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
    flag: Any = bool if option.initial is not None else bool | None
    types: dict[str, Any] = {FLAG: flag, TEXT: str | None, NUMBER: int | None}
    type_: Any = types.get(option.kind, list[str] | None)
    if option.choices:
        type_ = Literal[option.choices]
    details = typer.Option(
        *option.flags, help=option.help, metavar=option.metavar or None, hidden=option.hidden, show_default=False
    )
    default = None if option.kind == LIST else option.initial
    return inspect.Parameter(
        option.name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=Annotated[type_, details]
    )


def _argument_parameter(argument: Argument) -> inspect.Parameter:
    details = typer.Argument(help=argument.help, metavar=argument.metavar, show_default=False)
    type_: Any = list[str] if argument.many else str
    if argument.choices:
        type_ = Literal[argument.choices]
    elif not argument.is_required:
        type_ = type_ | None
    return inspect.Parameter(
        argument.name,
        inspect.Parameter.KEYWORD_ONLY,
        default=inspect.Parameter.empty if argument.is_required else None,
        annotation=Annotated[type_, details],
    )
