"""AI models that services use, with Docker Compose's protocol: a program that fetches and runs them.

Source: github.com/docker/compose, pkg/compose/model.go. The program is Docker's plugin ``docker-model``, or any of that
name in PATH. It is run as ``docker-model ls --json``, ``pull MODEL``, ``configure [--context-size N] MODEL [-- FLAG]``
and ``status --json``, which says at which address the models answer.
"""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING, Any

from orchestra.errors import ComposeError, Diagnostic, Span, UserError
from orchestra.record import replace
from orchestra.stacks.added_variables import with_variables
from orchestra.stacks.plugins import find_plugin

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from orchestra.model.desired import Desired, ModelSpec
    from orchestra.stacks.context import Context

PROGRAM = "docker-model"


def provide_models(context: Context, desired: Desired, say: Callable[[str], None]) -> Desired:
    """Fetch missing models, configure all, and give the endpoint to the services that use them. Raises UserError."""
    if not desired.models:
        return desired
    runner = _Runner(_find(context.environment, desired.models), context.environment)
    available = runner.tags()
    for model in desired.models:
        if model.model not in available:
            say(f"model {model.key}: pulling {model.model}")
            runner.call("pull", model.model)
        size = ("--context-size", str(model.context_size)) if model.context_size else ()
        flags = ("--", *model.runtime_flags) if model.runtime_flags else ()
        runner.call("configure", *size, model.model, *flags)
    return with_endpoint(desired, runner.endpoint())


def with_endpoint(desired: Desired, endpoint: str) -> Desired:
    """endpoint: where the models answer, '' if that is not known."""
    if not endpoint:
        return desired
    containers = [with_variables(spec, dict.fromkeys(spec.model_endpoints, endpoint)) for spec in desired.containers]
    return replace(desired, containers=tuple(containers), model_endpoint=endpoint)


def _find(environment: Mapping[str, str], models: Sequence[ModelSpec]) -> str:
    program = find_plugin(environment, PROGRAM)
    if program is None:
        hint = f"install {PROGRAM}, Docker's plugin for models, or put a program of that name in PATH"
        raise ComposeError(tuple(_missing(model, hint) for model in models))
    return program


def _missing(model: ModelSpec, hint: str) -> Diagnostic:
    message = f"'models' support requires Docker Model plugin: there is no {PROGRAM} to run {model.model}"
    at = model.location
    span = None if at is None else Span(at.path, at.line, at.column, at.line, at.column + len(model.key))
    return Diagnostic("no-model-runner", message, span, hint=hint, subject=f"models.{model.key}")


class _Runner:
    def __init__(self, program: str, environment: Mapping[str, str]) -> None:
        self._program = program
        self._environment = dict(environment)

    def call(self, *arguments: str) -> bytes:
        """What the program writes. Raises UserError if it fails."""
        done = subprocess.run(
            [self._program, *arguments],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            env=self._environment,
            check=False,
        )
        if done.returncode != 0:
            reason = done.stderr.decode(errors="replace").strip().rpartition("\n")[2] or f"exit code {done.returncode}"
            raise UserError(f"{PROGRAM} {' '.join(arguments)}: {reason}")
        return done.stdout

    def tags(self) -> set[str]:
        """The names of the models that are on this machine."""
        return {tag for row in self._answer(list, "ls", "--json") for tag in row.get("tags") or ()}

    def endpoint(self) -> str:
        return str(self._answer(dict, "status", "--json").get("endpoint") or "")

    def _answer(self, kind: type, *arguments: str) -> Any:
        text = self.call(*arguments)
        try:
            found = json.loads(text)
        except ValueError:
            found = None
        if not isinstance(found, kind):
            shown = text.decode(errors="replace").strip()[:200]
            raise UserError(f"{PROGRAM} {' '.join(arguments)} did not write the expected JSON: {shown}")
        return found
