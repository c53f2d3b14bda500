"""The instructions of a stage with the values of their variables: steps, and changes of the configuration."""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_never

from orchestra.build import history as text_of
from orchestra.build import instruction as typed
from orchestra.build.files import copy
from orchestra.build.paths import absolute
from orchestra.build.ports import parse_exposed
from orchestra.build.problem import Wrong
from orchestra.build.rule import Rule
from orchestra.build.run import run_command
from orchestra.build.step import MakeDirectory

if TYPE_CHECKING:
    from orchestra.build.state import StageState
    from orchestra.build.steps import Evaluated


def evaluate_stage(state: StageState) -> Evaluated:
    """All instructions of the stage. Mistakes are reported to its ``stages``."""
    for number, one in enumerate(state.stage.instructions):
        state.is_trigger = number < state.stage.triggers
        try:
            _instruction(state, one)
        except Wrong as error:
            state.stages.report(one.line, error)
    return state.evaluated()


def _instruction(state: StageState, one: typed.Instruction) -> None:
    """Raises Wrong."""
    match one:
        case typed.Arg():
            _arg(state, one)
        case typed.Env():
            _env(state, one)
        case typed.Label():
            pairs = {state.value(name, one.line): state.value(value, one.line) for name, value in one.pairs}
            _old_form(state, one)
            state.change(labels={**state.configuration.labels, **pairs})
            state.commit(f"LABEL {' '.join(f'{name}={value}' for name, value in pairs.items())}")
        case typed.Run():
            run_command(state, one)
        case typed.Copy() | typed.Add():
            copy(state, one)
        case typed.Workdir():
            _workdir(state, one)
        case typed.User():
            state.change(user=state.value(one.user, one.line))
            state.commit(f"USER {state.configuration.user}")
        case typed.Volume():
            paths = [state.value(path, one.line) for path in one.paths]
            if not all(paths):
                raise Wrong("VOLUME specified can not be an empty string")
            state.change(volumes=state.configuration.volumes.union(paths))
            state.commit(f"VOLUME {text_of.plain_list(paths)}")
        case typed.Expose():
            _expose(state, one)
        case typed.Cmd():
            state.only_once(one)
            state.has_command = True
            state.change(command=state.final(one.command, one.line))
            state.commit(f"CMD {text_of.quoted_list(state.configuration.command or ())}")
        case typed.Entrypoint():
            state.only_once(one)
            # The command of the base was made for another program.
            command = state.configuration.command if state.has_command else None
            arguments = state.final(one.command, one.line) if one.command.arguments else ()
            state.change(entrypoint=arguments, command=command)
            state.commit(f"ENTRYPOINT {text_of.quoted_list(arguments)}")
        case typed.Healthcheck():
            state.only_once(one)
            state.change(healthcheck=_health_check(one))
            state.commit(f"HEALTHCHECK {text_of.health_check(one)}")
        case typed.Stopsignal():
            _stopsignal(state, one)
        case typed.Shell():
            state.change(shell=one.arguments)
            state.commit(f"SHELL {text_of.plain_list(one.arguments)}")
        case typed.Onbuild():
            state.change(on_build=(*state.configuration.on_build, one.trigger))
        case typed.Maintainer():
            what = "Maintainer instruction is deprecated in favor of using label"
            state.note(Rule.MAINTAINER_DEPRECATED, what, one.line)
            state.change(author=one.name)
            state.commit(f"MAINTAINER {one.name}")
        case _:
            assert_never(one)


def _old_form(state: StageState, one: typed.Env | typed.Label) -> None:
    if one.old_form:
        keyword = one.line.keyword.upper()
        what = f'"{keyword} key=value" should be used instead of legacy "{keyword} key value" format'
        state.note(Rule.LEGACY_KEY_VALUE_FORMAT, what, one.line)


def _arg(state: StageState, one: typed.Arg) -> None:
    given = state.stages.options.arguments
    shown: list[str] = []
    for argument in one.arguments:
        name = argument.name
        state.no_secret(name, one.line)
        value = given.get(name)
        if value is None and argument.default is not None:
            value = state.value(argument.default, one.line)
        elif value is None:
            value = state.stages.variables.get(name)
        if value is not None:
            state.variables[name] = value
        if name not in state.arguments:
            state.arguments.append(name)
        shown.append(name if value is None else f"{name}={value}")
    state.commit(f"ARG {' '.join(shown)}")


def _env(state: StageState, one: typed.Env) -> None:
    pairs = [(state.value(name, one.line), state.value(value, one.line)) for name, value in one.pairs]
    _old_form(state, one)
    for name, _ in pairs:
        state.no_secret(name, one.line)
        if not name:
            raise Wrong("ENV names can not be blank")
    state.variables.update(pairs)
    state.change(environment=tuple({**dict(state.configuration.environment), **dict(pairs)}.items()))
    state.commit(f"ENV {' '.join(f'{name}={value}' for name, value in pairs)}")


def _workdir(state: StageState, one: typed.Workdir) -> None:
    path = state.value(one.path, one.line)
    if not state.has_workdir and not path.startswith("/"):
        what = f'Relative workdir "{path}" can have unexpected results if the base image changes'
        state.note(Rule.WORKDIR_RELATIVE_PATH, what, one.line)
    state.has_workdir = True
    directory = absolute(state.configuration.working_directory, path)
    state.change(working_directory=directory)
    step = None
    if directory != "/":
        state.position += 1
        made = MakeDirectory(state.tree, directory, state.configuration.user or None)
        step = state.tree = state.steps.add(made, state.label(one.line), state.uncached)
    state.commit(f"WORKDIR {directory}", step)


def _expose(state: StageState, one: typed.Expose) -> None:
    ports: list[str] = []
    for text in one.ports:
        for word in state.expansion(text, one.line).words:
            ports += parse_exposed(word)
            protocol = word.partition("/")[2]
            if protocol != protocol.lower():
                what = f"Defined protocol '{word}' in EXPOSE instruction should be lowercase"
                state.note(Rule.EXPOSE_PROTO_CASING, what, one.line)
            if ":" in word:
                what = f"EXPOSE instruction should not define an IP address or host-port mapping, found '{word}'"
                state.note(Rule.EXPOSE_INVALID_FORMAT, what, one.line)
    state.change(exposed_ports=state.configuration.exposed_ports.union(ports))
    state.commit(f"EXPOSE {text_of.plain_list(ports)}")


def _stopsignal(state: StageState, one: typed.Stopsignal) -> None:
    from orchestra.linux.process import parse_signal

    signal = state.value(one.signal, one.line)
    try:
        parse_signal(signal)
    except ValueError:
        raise Wrong(f"invalid signal: {signal}", "write a name or a number, as in SIGTERM") from None
    state.change(stop_signal=signal)
    state.commit(f"STOPSIGNAL {signal}")


def _health_check(one: typed.Healthcheck) -> dict[str, object]:
    durations = {
        "Interval": one.interval,
        "Timeout": one.timeout,
        "StartPeriod": one.start_period,
        "StartInterval": one.start_interval,
        "Retries": one.retries,
    }
    return {"Test": list(one.test), **{name: value for name, value in durations.items() if value}}
