"""One stage after another: instructions with the values of their variables, as steps and changes of a configuration."""

from __future__ import annotations

import contextlib
import re
from typing import TYPE_CHECKING, assert_never

from orchestra.build import history as text_of
from orchestra.build import instruction as typed
from orchestra.build.expand import Expansion, ExpansionError, Style, expand
from orchestra.build.mounts import make_mount, parse_mount
from orchestra.build.paths import absolute, below_root, destination, escaped
from orchestra.build.ports import parse_exposed
from orchestra.build.problem import Wrong
from orchestra.build.remote import parse_remote
from orchestra.build.rule import Remark, Rule, near
from orchestra.build.stages import NothingSource, StageSource
from orchestra.build.step import (
    BindMount,
    ContextFiles,
    Copy,
    Download,
    GitTree,
    History,
    InlineFiles,
    Label,
    MakeDirectory,
    Run,
    Scratch,
    SecretMount,
)
from orchestra.record import Record, replace

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from orchestra.build.configuration import ImageConfiguration
    from orchestra.build.here import HereDocument
    from orchestra.build.lines import Line
    from orchestra.build.stages import NeededStage, Source, Stages
    from orchestra.build.step import Mount, Step

DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
DEFAULT_SHELL = ("/bin/sh", "-c")
_SHOWN_INSTRUCTIONS = (typed.Run, typed.Copy, typed.Add, typed.Workdir)
_DOCUMENTS = "/dev/pipes"
_MODE = re.compile(r"[0-7]{1,4}|[ugoa]*([-+=]([rwxXst]*|[ugo]))+(,[ugoa]*([-+=]([rwxXst]*|[ugo]))+)*")
_SECRET = re.compile(
    r"(?:_|^)(?:apikey|auth|credentials?|key|password|pword|passwd|secret|token)(?:_|$)", re.IGNORECASE
)
_NO_SECRET = re.compile(r"(?:_|^)(?:public|file|version)(?:_|$)", re.IGNORECASE)
# As in the text of an instruction that is shown: what it says, with the values.
_SHOWN = Style(keep_quotes=True, keep_unset=True)
_IN_DOCUMENT = Style(ignore_quotes=True)


class Steps:
    """The steps of a graph: a step that equals another is the same."""

    def __init__(self) -> None:
        self.steps: list[Step] = []
        self.labels: dict[int, Label] = {}
        self.uncached: set[int] = set()
        self._numbers: dict[Step, int] = {}

    def add(self, step: Step, label: Label | None = None, uncached: bool = False) -> int:
        number = self._numbers.get(step)
        if number is None:
            number = self._numbers[step] = len(self.steps)
            self.steps.append(step)
        if label is not None:
            self.labels.setdefault(number, label)
        if uncached:
            self.uncached.add(number)
        return number


class Evaluated(Record):
    """A stage, or the part of it that has been evaluated.

    root: the step it began from. variables: environment and arguments. arguments: the names of ARG. is_known: whether
    the environment of its base is known. has_workdir: whether a WORKDIR of the Dockerfile counts.
    """

    tree: int
    root: int
    configuration: ImageConfiguration
    variables: Mapping[str, str]
    arguments: tuple[str, ...] = ()
    history: tuple[History, ...] = ()
    is_known: bool = True
    has_workdir: bool = False


class StageEvaluation:
    """The evaluation of one stage.

    done: the stages before it. remark: is given what a rule of ``check`` finds.
    """

    def __init__(
        self,
        stages: Stages,
        stage: NeededStage,
        begun: Evaluated,
        steps: Steps,
        done: Mapping[int, Evaluated],
        proxies: tuple[tuple[str, str], ...],
        remark: Callable[[Remark], None],
    ) -> None:
        self.stages = stages
        self.stage = stage
        self.steps = steps
        self.done = done
        self.proxies = proxies
        self.style = stages.style
        self.remark = remark
        self.tree, self.root = begun.tree, begun.root
        self.configuration = begun.configuration
        self.variables = dict(begun.variables)
        self.arguments = list(begun.arguments)
        self.history = list(begun.history)
        self.is_known = begun.is_known
        self.has_workdir = begun.has_workdir
        self.has_command = False
        self.last: dict[type, Line] = {}
        self.is_trigger = False
        name = stage.stage.name
        options = stages.options
        self.uncached = options.no_cache or name in {one.lower() for one in options.no_cache_filter if name}
        self.count = step_count(stage)
        self.position = int(_is_shown(stage.base))

    def run(self) -> Evaluated:
        for number, one in enumerate(self.stage.instructions):
            self.is_trigger = number < self.stage.triggers
            try:
                self.instruction(one)
            except Wrong as error:
                self.stages.report(one.line, error)
        return Evaluated(
            self.tree,
            self.root,
            self.configuration,
            self.variables,
            tuple(self.arguments),
            tuple(self.history),
            self.is_known,
            self.has_workdir,
        )

    # What every instruction needs.

    def note(self, rule: Rule, message: str, line: Line) -> None:
        self.remark(Remark(rule, message, line))

    def change(self, **fields: object) -> None:
        self.configuration = replace(self.configuration, **fields)  # type: ignore[arg-type]

    def commit(self, text: str, step: int | None = None) -> None:
        """Raises Wrong if all the texts together are too long."""
        self.stages.spend(len(text))
        self.history.append(History(text, step, text_of.COMMENT))

    def expansion(self, text: str, line: Line, style: Style | None = None) -> Expansion:
        """``text`` with its values. Raises Wrong."""
        if "$" not in text and not set(text) & {"'", '"', self.style.escape}:
            return Expansion(text, tuple(text.split()), frozenset(), frozenset())
        try:
            found = expand(text, self.variables, style or self.style)
        except ExpansionError as error:
            raise Wrong(str(error)) from None
        self.stages.spend(len(found.text))
        if self.is_known:
            for name in sorted(found.missing.difference(self.arguments)):
                self.note(
                    Rule.UNDEFINED_VAR, f"Usage of undefined variable '${name}'{near(name, self.variables, '$')}", line
                )
        return found

    def value(self, text: str, line: Line) -> str:
        return self.expansion(text, line).text

    def label(self, line: Line, hidden: Mapping[str, str] | None = None, summary: str = "") -> Label:
        """hidden: what is shown instead of the values of secrets."""
        keyword, _, rest = line.text.strip().partition(" ")
        with contextlib.suppress(ExpansionError):  # then it is shown as it is written
            rest = expand(rest, {**self.variables, **(hidden or {})}, replace(_SHOWN, escape=self.style.escape)).text
        words = (*(("ONBUILD",) if self.is_trigger else ()), keyword.upper(), rest.strip())
        return label_of(self.stages, self.stage, (self.position, self.count), " ".join(words) + summary, line)

    def in_shell(self, text: str) -> tuple[str, ...]:
        return (*(self.configuration.shell or DEFAULT_SHELL), text)

    def final(self, command: typed.CommandLine, line: Line) -> tuple[str, ...]:
        """The arguments of CMD or ENTRYPOINT."""
        if not command.in_shell:
            return command.arguments
        if not self.configuration.shell:
            keyword = line.keyword.upper()
            what = f"JSON arguments recommended for {keyword} to prevent unintended behavior related to OS signals"
            self.note(Rule.JSON_ARGS_RECOMMENDED, what, line)
        return self.in_shell(" ".join(command.arguments))

    def only_once(self, one: typed.Instruction) -> None:
        before = self.last.get(type(one))
        if before is not None:
            keyword = one.line.keyword.upper()
            why = "in the same stage because only the last one will be used"
            what = f"Multiple {keyword} instructions should not be used {why}"
            self.note(Rule.MULTIPLE_INSTRUCTIONS_DISALLOWED, what, before)
        self.last[type(one)] = one.line

    def no_secret(self, name: str, line: Line) -> None:
        if _SECRET.search(name) and not _NO_SECRET.search(name):
            keyword = line.keyword.upper()
            what = f'Do not use ARG or ENV instructions for sensitive data ({keyword} "{name}")'
            self.note(Rule.SECRETS_USED_IN_ARG_OR_ENV, what, line)

    # One method for each instruction that takes more than two lines.

    def instruction(self, one: typed.Instruction) -> None:
        """Raises Wrong."""
        match one:
            case typed.Arg():
                self.arg(one)
            case typed.Env():
                self.env(one)
            case typed.Label():
                pairs = {self.value(name, one.line): self.value(value, one.line) for name, value in one.pairs}
                self.old_form(one)
                self.change(labels={**self.configuration.labels, **pairs})
                self.commit(f"LABEL {' '.join(f'{name}={value}' for name, value in pairs.items())}")
            case typed.Run():
                self.run_command(one)
            case typed.Copy() | typed.Add():
                self.copy(one)
            case typed.Workdir():
                self.workdir(one)
            case typed.User():
                self.change(user=self.value(one.user, one.line))
                self.commit(f"USER {self.configuration.user}")
            case typed.Volume():
                paths = [self.value(path, one.line) for path in one.paths]
                if not all(paths):
                    raise Wrong("VOLUME specified can not be an empty string")
                self.change(volumes=self.configuration.volumes.union(paths))
                self.commit(f"VOLUME {text_of.plain_list(paths)}")
            case typed.Expose():
                self.expose(one)
            case typed.Cmd():
                self.only_once(one)
                self.has_command = True
                self.change(command=self.final(one.command, one.line))
                self.commit(f"CMD {text_of.quoted_list(self.configuration.command or ())}")
            case typed.Entrypoint():
                self.only_once(one)
                # The command of the base was made for another program.
                command = self.configuration.command if self.has_command else None
                arguments = self.final(one.command, one.line) if one.command.arguments else ()
                self.change(entrypoint=arguments, command=command)
                self.commit(f"ENTRYPOINT {text_of.quoted_list(arguments)}")
            case typed.Healthcheck():
                self.only_once(one)
                self.change(healthcheck=_health_check(one))
                self.commit(f"HEALTHCHECK {text_of.health_check(one)}")
            case typed.Stopsignal():
                self.stopsignal(one)
            case typed.Shell():
                self.change(shell=one.arguments)
                self.commit(f"SHELL {text_of.plain_list(one.arguments)}")
            case typed.Onbuild():
                self.change(on_build=(*self.configuration.on_build, one.trigger))
            case typed.Maintainer():
                what = "Maintainer instruction is deprecated in favor of using label"
                self.note(Rule.MAINTAINER_DEPRECATED, what, one.line)
                self.change(author=one.name)
                self.commit(f"MAINTAINER {one.name}")
            case _:
                assert_never(one)

    def old_form(self, one: typed.Env | typed.Label) -> None:
        if one.old_form:
            keyword = one.line.keyword.upper()
            what = f'"{keyword} key=value" should be used instead of legacy "{keyword} key value" format'
            self.note(Rule.LEGACY_KEY_VALUE_FORMAT, what, one.line)

    def arg(self, one: typed.Arg) -> None:
        given = self.stages.options.arguments
        shown: list[str] = []
        for argument in one.arguments:
            name = argument.name
            self.no_secret(name, one.line)
            value = given.get(name)
            if value is None and argument.default is not None:
                value = self.value(argument.default, one.line)
            elif value is None:
                value = self.stages.variables.get(name)
            if value is not None:
                self.variables[name] = value
            if name not in self.arguments:
                self.arguments.append(name)
            shown.append(name if value is None else f"{name}={value}")
        self.commit(f"ARG {' '.join(shown)}")

    def env(self, one: typed.Env) -> None:
        pairs = [(self.value(name, one.line), self.value(value, one.line)) for name, value in one.pairs]
        self.old_form(one)
        for name, _ in pairs:
            self.no_secret(name, one.line)
            if not name:
                raise Wrong("ENV names can not be blank")
        self.variables.update(pairs)
        self.change(environment=tuple({**dict(self.configuration.environment), **dict(pairs)}.items()))
        self.commit(f"ENV {' '.join(f'{name}={value}' for name, value in pairs)}")

    def workdir(self, one: typed.Workdir) -> None:
        path = self.value(one.path, one.line)
        if not self.has_workdir and not path.startswith("/"):
            what = f'Relative workdir "{path}" can have unexpected results if the base image changes'
            self.note(Rule.WORKDIR_RELATIVE_PATH, what, one.line)
        self.has_workdir = True
        directory = absolute(self.configuration.working_directory, path)
        self.change(working_directory=directory)
        step = None
        if directory != "/":
            self.position += 1
            made = MakeDirectory(self.tree, directory, self.configuration.user or None)
            step = self.tree = self.steps.add(made, self.label(one.line), self.uncached)
        self.commit(f"WORKDIR {directory}", step)

    def expose(self, one: typed.Expose) -> None:
        ports: list[str] = []
        for text in one.ports:
            for word in self.expansion(text, one.line).words:
                ports += parse_exposed(word)
                protocol = word.partition("/")[2]
                if protocol != protocol.lower():
                    what = f"Defined protocol '{word}' in EXPOSE instruction should be lowercase"
                    self.note(Rule.EXPOSE_PROTO_CASING, what, one.line)
                if ":" in word:
                    what = f"EXPOSE instruction should not define an IP address or host-port mapping, found '{word}'"
                    self.note(Rule.EXPOSE_INVALID_FORMAT, what, one.line)
        self.change(exposed_ports=self.configuration.exposed_ports.union(ports))
        self.commit(f"EXPOSE {text_of.plain_list(ports)}")

    def stopsignal(self, one: typed.Stopsignal) -> None:
        from orchestra.linux.process import parse_signal

        signal = self.value(one.signal, one.line)
        try:
            parse_signal(signal)
        except ValueError:
            raise Wrong(f"invalid signal: {signal}", "write a name or a number, as in SIGTERM") from None
        self.change(stop_signal=signal)
        self.commit(f"STOPSIGNAL {signal}")

    # RUN

    def run_command(self, one: typed.Run) -> None:
        directory = absolute(self.configuration.working_directory, "")
        mounts: list[Mount] = []
        for number, text in enumerate(one.mounts):
            options = parse_mount(text, lambda value: self.value(value, one.line))
            mounts.append(make_mount(options, self.tree_of, directory, number))
        arguments, summary = one.command.arguments, ""
        if one.command.documents:
            arguments, summary, script = _with_documents(one.command)
            if script is not None:
                mounts.append(BindMount(_DOCUMENTS, self.steps.add(script)))
        command = self.in_shell(" ".join(arguments)) if one.command.in_shell else arguments
        self.position += 1
        hidden = {mount.variable: "****" for mount in mounts if isinstance(mount, SecretMount) and mount.variable}
        step = Run(
            self.tree,
            command,
            tuple(self.variables.items()),
            directory,
            self.configuration.user,
            tuple(mounts),
            one.network,
            one.insecure,
            proxies=self.proxies,
        )
        self.tree = self.steps.add(step, self.label(one.line, hidden, summary), self.uncached)
        declared = [f"{name}={self.variables.get(name, '')}" for name in self.arguments]
        words = (f"|{len(declared)}", *declared, *command) if declared else command
        self.commit(f"RUN {' '.join(words)}{text_of.MARK}", self.tree)

    def tree_of(self, name: str) -> int:
        """The step of a source that an instruction names; of the context for an empty name. Raises Wrong."""
        if not name:
            return self.steps.add(ContextFiles())
        source = self.stage.sources.get(name)
        if source is None:
            raise Wrong(f"nothing is called {name}")
        return base_of(source, self.steps, self.done)

    # COPY and ADD

    def copy(self, one: typed.Copy | typed.Add) -> None:
        files = _expanded(one.files, lambda text: self.value(text, one.line))
        if files.mode and not _MODE.fullmatch(files.mode):
            what = f"invalid chmod parameter: '{files.mode}'. it should be octal string and between 0 and 07777"
            raise Wrong(what, "or symbolic, as in u=rwX,go=rX")
        target = destination(self.configuration.working_directory, files.destination)
        self.position += 1
        label = self.label(one.line)
        parts = self.added(one, files, label) if isinstance(one, typed.Add) else self.copied(one, files)
        if files.documents:
            contents = tuple(
                (document.name, self.document(document, one.line).encode()) for document in files.documents
            )
            names = tuple(escaped(document.name) for document in files.documents)
            parts.append((self.steps.add(InlineFiles(contents)), names, False))
        shown = [f" --chown={files.owner}"] if files.owner else []
        shown += [f" --chmod={files.mode}"] if files.mode else []
        parents = isinstance(one, typed.Copy) and one.parents
        names = (*files.sources, *(f"<<{document.name}" for document in files.documents), files.destination)
        text = f"{one.line.keyword.upper()}{' --parents' * parents}{''.join(shown)} {' '.join(names)}{text_of.MARK}"
        for source, paths, unpack in parts:
            step = Copy(
                self.tree,
                source,
                paths,
                target,
                files.owner or None,
                files.mode or None,
                files.exclude,
                parents,
                unpack,
                files.link,
            )
            self.tree = self.steps.add(step, label, self.uncached)
            self.commit(text, self.tree)

    def copied(self, one: typed.Copy, files: typed.Files) -> list[tuple[int, tuple[str, ...], bool]]:
        if "$" in one.source[:-1]:
            raise Wrong(
                "variable expansion is not supported for --from, define a new stage with FROM using ARG from global"
                " scope as a workaround"
            )
        for source in files.sources:
            remote = parse_remote(source, "", None)
            if remote is not None:
                what = "git ref" if isinstance(remote, GitTree) else "URL"
                raise Wrong(f"source can't be a {what} for COPY", "use ADD")
        tree = self.tree_of(one.source) if files.sources else 0
        paths = tuple(_path(source, one.parents) for source in files.sources)
        return [(tree, paths, False)] if paths else []

    def added(self, one: typed.Add, files: typed.Files, label: Label) -> list[tuple[int, tuple[str, ...], bool]]:
        """The sources in their order, those of the context that follow each other together."""
        checksum = self.value(one.checksum, one.line)
        if checksum and len(files.sources) != 1:
            raise Wrong("checksum can't be specified for multiple sources")
        parts: list[tuple[int, tuple[str, ...], bool]] = []
        for source in files.sources:
            remote = parse_remote(source, checksum, one.keep_git_directory)
            if remote is not None:
                number = self.steps.add(remote, label, self.uncached)
                name = escaped(remote.file_name) if isinstance(remote, Download) else "."
                parts.append((number, (name,), isinstance(remote, Download) and one.unpack is True))
                continue
            if checksum:
                raise Wrong("checksum requires HTTP(S) or Git sources")
            context, unpack = self.steps.add(ContextFiles()), one.unpack is not False
            path = _path(source, parents=False)
            if parts and parts[-1][::2] == (context, unpack):
                parts[-1] = (context, (*parts[-1][1], path), unpack)
            else:
                parts.append((context, (path,), unpack))
        return parts

    def document(self, document: HereDocument, line: Line) -> str:
        return self.expansion(document.text, line, _IN_DOCUMENT).text if document.expands else document.text


def label_of(stages: Stages, stage: NeededStage, place: tuple[int, int], text: str, line: Line) -> Label:
    """place: among the steps of the stage that are shown, counted from 1, and how many they are."""
    name = stage.stage.name or f"stage-{stage.stage.index}"
    shown = name if len(stages.dockerfile.stages) > 1 else ""
    return Label(shown, *place, text, line.span.line, line.end_line)


def step_count(stage: NeededStage) -> int:
    """How many of a stage's steps are shown."""
    return _is_shown(stage.base) + sum(isinstance(one, _SHOWN_INSTRUCTIONS) for one in stage.instructions)


def _is_shown(base: Source) -> bool:
    return not isinstance(base, NothingSource | StageSource)


def base_of(source: Source, steps: Steps, done: Mapping[int, Evaluated]) -> int:
    """The step of the file tree that a source stands for. done: stages that have been evaluated."""
    match source:
        case StageSource(index):
            return done[index].tree
        case NothingSource():
            return steps.add(Scratch())
        case _:
            return steps.add(source)


def _health_check(one: typed.Healthcheck) -> dict[str, object]:
    durations = {
        "Interval": one.interval,
        "Timeout": one.timeout,
        "StartPeriod": one.start_period,
        "StartInterval": one.start_interval,
        "Retries": one.retries,
    }
    return {"Test": list(one.test), **{name: value for name, value in durations.items() if value}}


def _with_documents(command: typed.CommandLine) -> tuple[tuple[str, ...], str, InlineFiles | None]:
    """What the shell gets, a summary of it, and the script that it is, for the directory of such scripts."""
    text = command.arguments[0] if command.arguments else ""
    first = command.documents[0]
    if re.fullmatch(r"\d*<<-?\S+", text):
        content = first.text
        lines = content.strip().split("\n")
        summary = f" ({lines[0].rstrip()}{'...' if len(lines) > 1 else ''})"
        if content.startswith("#!"):
            script = InlineFiles(((first.name, content.encode()),), mode=0o755)
            return (f"{_DOCUMENTS}/{first.name}",), summary, script
        return (content,), summary, None
    # The shell itself reads them, as they stand in the file.
    return (text + "".join(f"\n{document.content}{document.name}" for document in command.documents),), "", None


def _expanded(files: typed.Files, value: Callable[[str], str]) -> typed.Files:
    return replace(
        files,
        sources=tuple(map(value, files.sources)),
        destination=value(files.destination),
        owner=value(files.owner),
        mode=value(files.mode),
        exclude=tuple(map(value, files.exclude)),
    )


def _path(source: str, parents: bool) -> str:
    """A path of the source tree; with ``--parents`` the point from which on directories are kept stays in it."""
    before, pivot, after = source.partition("/./") if parents else (source, "", "")
    return f"{below_root(before)}/./{below_root(after)}" if pivot else below_root(before)
