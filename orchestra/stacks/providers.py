"""Services that another program provides: the ``provider`` attribute, with Docker Compose's protocol.

Source: github.com/docker/compose, docs/extension.md. The program is run as ``TYPE compose --project-name=STACK up
--OPTION=VALUE SERVICE``, and likewise with ``down``. It writes lines of JSON, each with a ``type`` and a ``message``.
Variables that it sets with ``setenv`` are given to the services that depend on it, as ``SERVICE_NAME``.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
from typing import TYPE_CHECKING, Any

from orchestra.errors import UserError
from orchestra.model.codec import decode, encode
from orchestra.model.desired import Desired, ProviderSpec
from orchestra.record import replace

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from orchestra.stacks.context import Context
    from orchestra.stacks.stack_file import Prepared

PLUGINS = ("~/.docker/cli-plugins", "/usr/local/lib/docker/cli-plugins", "/usr/lib/docker/cli-plugins")
"""Directories of Docker's plugins: a provider may be one."""


def provide(context: Context, prepared: Prepared, say: Callable[[str], None]) -> Prepared:
    """Bring up the provided services, and give their variables to dependent containers. Raises UserError."""
    desired = decode(Desired, json.loads(prepared.desired))
    provided = {
        provider.service: _run(context.environment, desired.stack, provider, "up", say)
        for provider in desired.providers
    }
    return _with_variables(prepared, replace(desired, provided=provided))


def with_known_variables(context: Context, prepared: Prepared) -> Prepared:
    """Use the variables of the last ``up``, without running a program."""
    try:
        with open(context.home.stack(prepared.identity.stack).desired, "rb") as file:
            provided = json.loads(file.read()).get("provided", {})
    except FileNotFoundError:
        return prepared
    desired = decode(Desired, json.loads(prepared.desired))
    return _with_variables(prepared, replace(desired, provided=provided))


def providers_of(desired: bytes) -> tuple[ProviderSpec, ...]:
    return decode(Desired, json.loads(desired)).providers


def take_down(context: Context, stack: str, provider: ProviderSpec) -> None:
    """Raises UserError."""
    _run(context.environment, stack, provider, "down", lambda _text: None)


def _with_variables(prepared: Prepared, desired: Desired) -> Prepared:
    """Add the variables. A container is recreated if one of its variables has changed."""
    containers = []
    for spec in desired.containers:
        needed = [dependency.service for dependency in spec.depends_on]
        found = {name: value for service in needed for name, value in desired.provided.get(service, {}).items()}
        if found:
            text = json.dumps([spec.config_hash, sorted(found.items())])
            digest = hashlib.sha256(text.encode()).hexdigest()
            spec = replace(spec, environment={**spec.environment, **found}, config_hash=digest)
        containers.append(spec)
    changed = replace(desired, containers=tuple(containers))
    return replace(prepared, desired=json.dumps(encode(changed)).encode())


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
    home = environment.get("HOME", "/root")
    places = [place.replace("~", home, 1) for place in PLUGINS]
    plugin = shutil.which(f"docker-{provider.kind}", path=os.pathsep.join(places))
    program = plugin or shutil.which(provider.kind, path=environment.get("PATH", os.defpath))
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
