"""RUN: a command in a tree, confined like a container of Docker's defaults. Source: the Dockerfile reference, "RUN"."""

from __future__ import annotations

import contextlib
import os
import posixpath
import socket
from typing import TYPE_CHECKING, Any

from orchestra.container import wire
from orchestra.container.directory import ContainerDirectory
from orchestra.container.settings import Settings, store_settings
from orchestra.driver.local.build.layer_archives import remove_stubs
from orchestra.driver.local.build.network import attached
from orchestra.driver.local.build.stack import BUILDS
from orchestra.driver.local.build.waiting import Interrupted
from orchestra.driver.local.bundle.config import render_bundle, render_etc_files
from orchestra.driver.local.bundle.host import observe_host
from orchestra.driver.local.confinement import store_filter
from orchestra.driver.local.image.documents.config import ImageConfig
from orchestra.driver.local.image.failure import file_errors
from orchestra.driver.local.image.layers.lookup import find
from orchestra.driver.local.image.removal import remove_tree
from orchestra.driver.local.runtime.failure import runtime_errors
from orchestra.driver.local.strays import container_group
from orchestra.errors import FatalError
from orchestra.linux import cgroup, private_files, whole_files
from orchestra.linux.readiness import first_readable
from orchestra.model.container import ContainerSpec
from orchestra.model.names import ContainerName, ServiceName
from orchestra.record import replace

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from orchestra.build.step import Run
    from orchestra.driver.local.build.given import RunOptions
    from orchestra.driver.local.build.mounting import Mounted
    from orchestra.driver.local.build.runner import Runner
    from orchestra.driver.local.build.trees import Change
    from orchestra.driver.local.user import User
    from orchestra.home import Home
    from orchestra.model.device_edits import DeviceEdits

CHUNK = 1 << 16
LONGEST_LINE = 1 << 16
HOSTNAME = "build"


class CommandFailed(FatalError):
    """The command of a step ended with another exit code than 0."""

    def __init__(self, exit_code: int, *, killed_by_memory: bool) -> None:
        hint = "the machine, or the limit of its cgroup, ran out of memory" if killed_by_memory else ""
        super().__init__(f"the command ended with exit code {exit_code}", hint=hint)
        self.code = exit_code


def run_command(
    home: Home,
    runner: Runner,
    step: Run,
    change: Change,
    layers: Sequence[str],
    user: User,
    mounted: Mounted,
    options: RunOptions,
    devices: DeviceEdits,
    ending: Sequence[int],
    hear: Callable[[str], None],
) -> None:
    """Return when it has ended well. layers: those below the snapshot. hear: each line of its output. ending: one of
    them is readable when the command is to be killed.

    Raises CommandFailed, Interrupted, UserError or DriverError.
    """
    identifier = os.urandom(32).hex()
    directory = home.stack(BUILDS).container(identifier)
    spec = replace(_specify(step, identifier, options), device_edits=devices)
    network = step.network if step.network != "default" else options.network
    try:
        with file_errors("a step"):
            private_files.make_directories(f"{directory}/rootfs")
        with attached(home, spec, network, identifier, directory) as attachment:
            config = render_bundle(
                spec,
                ImageConfig(),
                user=user,
                attachment=attachment,
                mounts=mounted.mounts,
                cgroups_path=container_group(home, BUILDS, identifier),
                host=observe_host(spec),
            )
            with file_errors("a step"):
                for file, text in render_etc_files(attachment).items():
                    whole_files.write(f"{directory}/{file}", text.encode(), mode=0o644)
                files = ContainerDirectory(directory)
                seccomp = store_filter(config, directory, home.filters)
                settings = Settings(change.mounts, seccomp=seccomp, inherited_streams=True)
                files.store("config.json", config)
                store_settings(files, settings)
                stubs = _find_stubs(layers, config)
            with runtime_errors("of the step"):
                _run(runner, directory, config, step, mounted, ending, hear)
            remove_stubs(change, stubs, layers)
    finally:
        with file_errors("a step"):
            remove_tree(directory)


def _specify(step: Run, identifier: str, options: RunOptions) -> ContainerSpec:
    return ContainerSpec(
        name=ContainerName(identifier),
        service=ServiceName("build"),
        index=1,
        image="",
        config_hash="",
        entrypoint=(),
        command=step.arguments,
        environment={**dict(step.proxies), **dict(step.environment)},
        working_directory=step.directory,
        hostname=HOSTNAME,
        extra_hosts=options.extra_hosts,
        ulimits=options.ulimits,
        shm_size=options.shm_size,
        privileged=step.insecure or options.privileged,
    )


def _find_stubs(layers: Sequence[str], config: Mapping[str, Any]) -> list[str]:
    """The paths that only the mounts make."""
    wanted: set[str] = set()
    for entry in config["mounts"]:
        path = entry["destination"]
        while path != "/":
            wanted.add(path)
            path = posixpath.dirname(path)
    return [path for path in sorted(wanted) if find(layers, path) is None]


def _run(
    runner: Runner,
    directory: str,
    config: Mapping[str, Any],
    step: Run,
    mounted: Mounted,
    ending: Sequence[int],
    hear: Callable[[str], None],
) -> None:
    def end_command() -> None:
        """Its keeper was killed, and the command goes on without it."""
        group = cgroup.at(config["linux"]["cgroupsPath"], owner=directory, everywhere=False)
        group.kill()
        group.remove()

    with contextlib.ExitStack() as stack:
        control, output = _begin(runner, directory, step, stack)
        try:
            wire.send(control, mounted.order())
            said = _attend(control, output, ending, hear, end_command)
        finally:
            _end(control)
    if "error" in said:
        raise wire.rebuild_error(said["error"])
    if "exit_code" not in said:
        raise FatalError("the process that ran the command was killed", hint="see whether memory ran out: dmesg")
    if said["exit_code"]:
        raise CommandFailed(said["exit_code"], killed_by_memory=said["killed_by_memory"])


def _begin(runner: Runner, directory: str, step: Run, stack: contextlib.ExitStack) -> tuple[socket.socket, list[int]]:
    """The socket to the process of the command, and the ends of its standard output and error."""
    pipes = [os.pipe2(os.O_CLOEXEC) for _ in range(2)]
    for reader, _ in pipes:
        stack.callback(os.close, reader)
    streams = [_input(step.input), *(writer for _, writer in pipes)]
    try:
        control = stack.enter_context(runner.begin(directory, streams))
    finally:
        for fd in streams:
            os.close(fd)
    return control, [reader for reader, _ in pipes]


def _end(control: socket.socket) -> None:
    """Have the command killed, if it still runs, and wait until its process has ended."""
    with contextlib.suppress(OSError):
        control.shutdown(socket.SHUT_WR)
    while True:
        try:
            if not control.recv(CHUNK):
                return
        except ConnectionResetError:
            return


def _input(data: bytes | None) -> int:
    if data is None:
        return os.open("/dev/null", os.O_RDONLY | os.O_CLOEXEC)
    fd = os.memfd_create("input", os.MFD_CLOEXEC)
    with os.fdopen(os.dup(fd), "wb") as file:
        file.write(data)
    os.lseek(fd, 0, os.SEEK_SET)
    return fd


def _attend(
    control: socket.socket,
    output: Sequence[int],
    ending: Sequence[int],
    hear: Callable[[str], None],
    end_command: Callable[[], None],
) -> dict[str, Any]:
    """What the process said at its end. Passes its output on, by lines. end_command: called if it said nothing."""
    said: dict[str, Any] = {}
    lines = {fd: _Lines(hear) for fd in output}
    left = {control.fileno(), *output}
    while left:
        for fd in first_readable([*left, *ending]):
            if fd in ending:
                raise Interrupted
            if fd != control.fileno():
                data = os.read(fd, CHUNK)
                lines[fd].take(data)
                left -= set() if data else {fd}
                continue
            try:
                message, _ = wire.receive(control)
            except ConnectionResetError:
                if not said.keys() & {"error", "exit_code"}:
                    end_command()
                # All of it is dead now; what it left in the pipes comes first.
                left.discard(fd)
                continue
            if "warning" in message:
                hear(f"warning: {message['warning']}")
            said.update(message)
    return said


class _Lines:
    def __init__(self, hear: Callable[[str], None]) -> None:
        self._hear = hear
        self._rest = b""

    def take(self, data: bytes) -> None:
        """Nothing means the end."""
        for line in self._whole(data):
            self._hear(line.decode(errors="replace").removesuffix("\r"))

    def _whole(self, data: bytes) -> Iterator[bytes]:
        self._rest += data
        *whole, self._rest = self._rest.split(b"\n")
        yield from whole
        if self._rest and (not data or len(self._rest) > LONGEST_LINE):
            yield self._rest
            self._rest = b""
