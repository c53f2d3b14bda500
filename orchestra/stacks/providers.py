"""Services that another program provides: the ``provider`` attribute, with Docker Compose's protocol.

Source: github.com/docker/compose, docs/extension.md. The program is run as ``TYPE compose --project-name=STACK up
--OPTION=VALUE SERVICE``, and likewise with ``down``. It writes lines of JSON, each with a ``type`` and a ``message``.
Variables that it sets with ``setenv`` are given to the services that depend on it, as ``SERVICE_NAME``.
"""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING, Any

from orchestra.errors import UserError
from orchestra.model.codec import decode
from orchestra.model.desired import Desired, ProviderSpec
from orchestra.record import replace
from orchestra.stacks.added_variables import with_variables
from orchestra.stacks.plugins import find_plugin

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from orchestra.model.names import ServiceName
    from orchestra.stacks.context import Context


def provide_services(context: Context, desired: Desired, say: Callable[[str], None]) -> Desired:
    """Bring up the provided services, and give their variables to dependent containers. Raises UserError."""
    return with_provided(
        desired,
        {
            provider.service: _run(context.environment, desired.stack, provider, "up", say)
            for provider in desired.providers
        },
    )


def with_provided(desired: Desired, provided: Mapping[ServiceName, Mapping[str, str]]) -> Desired:
    """provided: as in ``Desired``."""
    if not provided:
        return desired
    containers = []
    for spec in desired.containers:
        needed = [dependency.service for dependency in spec.depends_on]
        found = {name: value for service in needed for name, value in provided.get(service, {}).items()}
        containers.append(with_variables(spec, found))
    return replace(desired, containers=tuple(containers), provided=provided)


def providers_of(desired: bytes) -> tuple[ProviderSpec, ...]:
    return decode(Desired, json.loads(desired)).providers


def take_down(context: Context, stack: str, provider: ProviderSpec) -> None:
    """Raises UserError."""
    _run(context.environment, stack, provider, "down", lambda _text: None)


def _run(
    environment: Mapping[str, str], stack: str, provider: ProviderSpec, verb: str, say: Callable[[str], None]
) -> dict[str, str]:
    """Run the program, and return the variables that it sets."""
    program = _find(environment, provider)
    known = _parameters(environment, program, verb)
    options = [
        f"--{name}={value}"
        for name, values in sorted(provider.options.items())
        if known is None or name in known
        for value in values
    ]
    command = [program, "compose", f"--project-name={stack}", verb, *options, provider.service]
    found: dict[str, str] = {}
    problem = ""
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, env=dict(environment)) as process:
        assert process.stdout is not None
        for line in process.stdout:
            kind, text = _message(line, provider)
            match kind:
                case "info":
                    say(f"{provider.service}: {text}")
                case "error":
                    problem = problem or text
                case "setenv" | "rawsetenv":
                    name, _, value = text.partition("=")
                    prefix = provider.service.upper().replace("-", "_") if kind == "setenv" else ""
                    found[f"{prefix}_{name}" if prefix else name] = value
                case _:
                    pass  # debug
    if problem or process.returncode != 0:
        reason = problem or f"exit code {process.returncode}"
        raise UserError(f"service {provider.service}: provider {provider.kind} failed to {verb}: {reason}")
    return found


def _find(environment: Mapping[str, str], provider: ProviderSpec) -> str:
    program = find_plugin(environment, f"docker-{provider.kind}", otherwise=provider.kind)
    if program is None:
        message = f"service {provider.service}: no provider {provider.kind} is in PATH or among Docker's plugins"
        raise UserError(message, hint="install the program, or correct provider.type")
    return program


def _parameters(environment: Mapping[str, str], program: str, verb: str) -> set[str] | None:
    """The options that the program knows according to ``compose metadata``; None if it does not report them."""
    command, nothing = [program, "compose", "metadata"], subprocess.DEVNULL
    told = subprocess.run(
        command, stdin=nothing, stdout=subprocess.PIPE, stderr=nothing, env=dict(environment), check=False
    )
    try:
        described: Any = json.loads(told.stdout) if told.returncode == 0 else {}
        return {parameter["name"] for parameter in described[verb]["parameters"]}
    except (ValueError, LookupError, TypeError):
        return None


def _message(line: bytes, provider: ProviderSpec) -> tuple[str, str]:
    try:
        message = json.loads(line)
        return str(message["type"]), str(message["message"])
    except (ValueError, LookupError, TypeError):
        shown = line.decode(errors="replace").strip()[:200]
        raise UserError(f"service {provider.service}: provider {provider.kind} wrote no message: {shown}") from None
