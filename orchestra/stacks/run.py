"""``run``: a command in a container of its own, made as a service's are. Light when the file is known."""

from __future__ import annotations

import json
import os
import time
from functools import partial

from orchestra.control.environment import for_registries
from orchestra.errors import UserError
from orchestra.linux import private_files
from orchestra.model.codec import decode, encode
from orchestra.model.container import ContainerSpec
from orchestra.model.project import Chosen
from orchestra.model.request import CancelRequest, Changes, ConcludeRequest, RunRequest
from orchestra.model.result import CancelResult, ConcludeResult, RunResult
from orchestra.record import replace
from orchestra.shim.attachment import Attachment, Call
from orchestra.stacks.mail import Mail
from orchestra.stacks.one_off import RunOptions, one_off
from orchestra.stacks.stack_file import StackFile, has_provisions

__all__ = ["Attachment", "OneOffRun", "RunOptions", "begin_run", "read_environment_file"]

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from orchestra.errors import Diagnostic
    from orchestra.stacks.context import Context
    from orchestra.stacks.stack_file import Prepared

    Result = RunResult | ConcludeResult


class OneOffRun:
    """One command. spec: its container; notes: of the file. Use ``with``.

    mail: answers of ``begin`` (topics ``run``, with the events before it) and of ``await_end`` (``end``).
    """

    def __init__(
        self, context: Context, stack: str, spec: ContainerSpec, desired: dict[str, object], options: RunOptions
    ) -> None:
        self.spec = spec
        self.notes: tuple[Diagnostic, ...] = ()
        self.mail: Mail[Result] = Mail()
        self.call: Call | None = None
        self._context = context
        self._home = context.home.stack(stack)
        self._desired = desired
        self._options = options

    def __enter__(self) -> OneOffRun:
        return self

    def __exit__(self, *_exception: object) -> None:
        if self.call is not None:
            self.call.close()

    def begin(self, dependencies: tuple[str, ...]) -> None:
        """Ask for it. dependencies: services that are brought up before."""
        assert self.spec.one_off is not None
        spec = self.spec
        if not self._options.detach:
            private_files.make_directories(self._home.callers)
            self.call = Call(f"{self._home.callers}/{os.urandom(16).hex()}.sock")
            spec = replace(spec, one_off=replace(self.spec.one_off, caller=self.call.path))
        desired = json.dumps({**self._desired, "containers": [*self._others(), encode(spec)]}, separators=(",", ":"))
        changes = Changes(
            services=dependencies,
            named=(spec.service,),
            pull=self._options.pull,
            remove_orphans=self._options.remove_orphans,
        )
        environment = for_registries(self._context.environment)
        request = RunRequest(spec.name, changes, environment, asked_at=time.time())
        client, hear = self._context.client(self._home.name), partial(self.mail.hear, "run")
        self.mail.ask("run", lambda: client.ask(RunResult, request, hear, desired=desired.encode()))

    def _others(self) -> list[dict[str, object]]:
        containers = self._desired["containers"]
        assert isinstance(containers, list)
        return [each for each in containers if each["service"] != self.spec.service]

    def cancel(self) -> bool:
        """Whether it had not been started, and will not be."""
        request = CancelRequest(self.spec.name)
        return self._context.client(self._home.name).ask(CancelResult, request).cancelled

    def await_end(self) -> None:
        client, request = self._context.client(self._home.name), ConcludeRequest(self.spec.name)
        self.mail.ask("end", lambda: client.ask(ConcludeResult, request))

    def answer(self) -> Attachment | None:
        """The attachment of a shim that has called; None when it is gone already."""
        assert self.call is not None
        try:
            return self.call.answer(self._home.container(self.spec.name))
        except OSError:
            return None


def begin_run(context: Context, options: RunOptions, ready: Callable[[Prepared], None]) -> OneOffRun:
    """Ask for the container. Raises what a load raises, and UserError for options that cannot be understood.

    ready: called with the load before anything is asked for.
    """
    run, prepared = prepare_run(context, options)
    ready(prepared)
    run.begin(dependencies_of(run, prepared))
    return run


def dependencies_of(run: OneOffRun, prepared: Prepared) -> tuple[str, ...]:
    """The services that are brought up before the command."""
    return tuple(name for name in prepared.selected if name != run.spec.service)


def prepare_run(context: Context, options: RunOptions, *, dry: bool = False) -> tuple[OneOffRun, Prepared]:
    """The command, and the load that it comes from. Raises the same as ``begin_run``.

    dry: run no providers, and fetch no models.
    """
    context.need_privileges()
    chosen = Chosen((options.service,), options.no_deps, {options.service: 1})
    prepared = StackFile(context).prepare(chosen)
    if prepared.reach is not None and not dry:
        from orchestra.stacks.sources.reach import need_accepted

        need_accepted(context.home.sources, prepared.reach)
    if has_provisions(prepared) and not dry:
        from orchestra.stacks.provided import provide

        prepared = provide(context, prepared, lambda _text: None)
    desired = json.loads(prepared.desired)
    of_service = next((each for each in desired["containers"] if each["service"] == options.service), None)
    if of_service is None:
        raise UserError(f"service {options.service} has no container of its own", hint="its provider runs elsewhere")
    volumes = {row["key"]: row["name"] for row in desired.get("volumes", ())}
    directory = context.working_directory or os.getcwd()
    service, stack = decode(ContainerSpec, of_service), prepared.identity.stack
    spec = one_off(stack, service, options, os.urandom(16).hex(), volumes, directory)
    run = OneOffRun(context, stack, spec, desired, options)
    run.notes = prepared.notes
    return run, prepared


def read_environment_file(path: str, context: Context) -> dict[str, str]:
    """Variables of a file as ``env_file`` has them. Raises UserError, with the place of what is wrong in it."""
    from orchestra.compose.dotenv import DotenvError, parse_dotenv

    try:
        text = _content(os.path.join(context.working_directory or os.getcwd(), path), context)
        return parse_dotenv(text, context.given_variables.get)
    except DotenvError as error:
        raise UserError(f"{path}:{error.line}:{error.column}: {error.message}", hint=error.hint) from None
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not text in UTF-8"
        raise UserError(f"--env-from-file {path}: {reason}") from None


def _content(path: str, context: Context) -> str:
    """Raises OSError and UnicodeDecodeError."""
    given = context.files.get(path)
    if given is not None:
        return given.decode()
    with open(path, encoding="utf-8") as file:
        return file.read()
