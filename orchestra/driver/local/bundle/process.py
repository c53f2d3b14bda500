"""The process object: of a container's own program, and of programs executed in it later."""

from __future__ import annotations

import posixpath

from orchestra.driver.local.bundle.capability import choose_capabilities, render_capabilities
from orchestra.errors import FatalError
from orchestra.linux.security.capabilities import NAMES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from orchestra.driver.local.bundle.security import Security
    from orchestra.driver.local.bundle.world import HostFacts
    from orchestra.driver.local.image.documents.config import ImageConfig
    from orchestra.driver.local.user import User
    from orchestra.model.container import ContainerSpec
    from orchestra.model.limits import Ulimit

DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
HOME_ANNOTATION = "io.orchestra.home-of-user"
"""``true`` if neither image nor file sets HOME: then a program executed as another user gets that user's home."""

UNLIMITED = (1 << 64) - 1
# Docker's words for getrlimit(2)'s. ``locks`` is taken and not set: it means nothing to Linux since 2.4.25.
ULIMITS = {
    name: f"RLIMIT_{name.upper()}"
    for name in (
        "core",
        "cpu",
        "data",
        "fsize",
        "memlock",
        "msgqueue",
        "nice",
        "nofile",
        "nproc",
        "rss",
        "rtprio",
        "rttime",
        "sigpending",
        "stack",
    )
}
WITHOUT_EFFECT = ("locks",)


def render_own_process(
    spec: ContainerSpec, image: ImageConfig, user: User, hostname: str, security: Security, host: HostFacts
) -> dict[str, Any]:
    process: dict[str, Any] = {
        "terminal": spec.tty,
        "user": _user(user),
        "args": _arguments(spec, image),
        "env": _lines(_environment(spec, image, user, hostname)),
        "cwd": _working_directory(spec, image),
        "capabilities": render_capabilities(choose_capabilities(spec, host.capabilities), user.uid),
        "noNewPrivileges": security.no_new_privileges,
        "rlimits": _rlimits(spec),
    }
    if spec.oom_score_adj is not None:
        if not -1000 <= spec.oom_score_adj <= 1000:
            message = f"service {spec.service}: oom_score_adj {spec.oom_score_adj} is out of range"
            raise FatalError(message, hint="use a number from -1000 to 1000")
        process["oomScoreAdj"] = spec.oom_score_adj
    return process


def sets_home(spec: ContainerSpec, image: ImageConfig) -> bool:
    """Whether the image or the file sets HOME, instead of the user's home directory."""
    return "HOME" in image.environment or "HOME" in spec.environment


def render_process(
    config: Mapping[str, Any],
    command: Sequence[str],
    *,
    user: User | None = None,
    environment: Mapping[str, str] | None = None,
    working_directory: str = "",
    terminal: bool = False,
    console_size: tuple[int, int] | None = None,
    privileged: bool = False,
    capabilities: Sequence[str] = NAMES,
) -> dict[str, Any]:
    """A program executed in the container of ``config``: like its own program, except for what is given.

    environment: added to the container's. working_directory: from the container's own. console_size: rows and columns.
    privileged: with all of ``capabilities``.
    """
    own: Mapping[str, Any] = config["process"]
    variables = dict(line.partition("=")[::2] for line in own.get("env") or ())
    if user is not None and (config.get("annotations") or {}).get(HOME_ANNOTATION) == "true":
        variables["HOME"] = user.home
    if terminal:
        variables.setdefault("TERM", "xterm")
    variables.update(environment or {})
    identity = dict(own["user"]) if user is None else _user(user)
    bounding = capabilities if privileged else (own.get("capabilities") or {}).get("bounding") or ()
    process: dict[str, Any] = {
        **own,
        "terminal": terminal,
        "user": identity,
        "args": list(command),
        "env": _lines(variables),
        "cwd": posixpath.join(own["cwd"], working_directory),
        "capabilities": render_capabilities(bounding, identity["uid"]),
    }
    process.pop("consoleSize", None)
    if terminal and console_size is not None:
        process["consoleSize"] = {"height": console_size[0], "width": console_size[1]}
    return process


def _user(user: User) -> dict[str, Any]:
    return {"uid": user.uid, "gid": user.gid, "additionalGids": list(user.groups)}


def _arguments(spec: ContainerSpec, image: ImageConfig) -> list[str]:
    """A service's entrypoint replaces the image's command too; an empty one only clears the image's entrypoint."""
    entrypoint = image.entrypoint if spec.entrypoint is None else spec.entrypoint
    if spec.command is not None:
        command = spec.command
    else:
        command = () if spec.entrypoint else image.command
    arguments = [*entrypoint, *command]
    if not arguments or not arguments[0]:
        message = f"service {spec.service}: neither the file nor the image has a command"
        raise FatalError(message, hint="set `command`")
    return arguments


def _environment(spec: ContainerSpec, image: ImageConfig, user: User, hostname: str) -> dict[str, str]:
    """The service's variables win over the image's, and those over the defaults."""
    defaults = {"PATH": DEFAULT_PATH, "HOSTNAME": hostname}
    if spec.tty:
        defaults["TERM"] = "xterm"
    return {**defaults, "HOME": user.home, **image.environment, **spec.environment}


def _lines(variables: Mapping[str, str]) -> list[str]:
    return [f"{name}={value}" for name, value in variables.items()]


def _working_directory(spec: ContainerSpec, image: ImageConfig) -> str:
    if spec.working_directory and not spec.working_directory.startswith("/"):
        message = f"service {spec.service}: working_dir {spec.working_directory} is not absolute"
        raise FatalError(message, hint="begin it with a slash")
    return spec.working_directory or f"/{image.working_directory.lstrip('/')}"


def _rlimits(spec: ContainerSpec) -> list[dict[str, Any]]:
    return [_rlimit(limit, spec) for limit in spec.ulimits if limit.name.lower() not in WITHOUT_EFFECT]


def _rlimit(limit: Ulimit, spec: ContainerSpec) -> dict[str, Any]:
    kind = ULIMITS.get(limit.name.lower())
    if kind is None:
        message = f"service {spec.service}: unknown ulimit {limit.name}"
        raise FatalError(message, hint=f"use one of {', '.join((*ULIMITS, *WITHOUT_EFFECT))}")
    soft, hard = (UNLIMITED if value < 0 else value for value in (limit.soft, limit.hard))
    if soft > hard:
        message = f"service {spec.service}: the soft ulimit {limit.name} is higher than the hard one"
        raise FatalError(message, hint="lower `soft` or raise `hard`")
    return {"type": kind, "soft": soft, "hard": hard}
