"""The process whose children run the commands of the steps of a build: ``python -I -S run_process.py HOME``.

Standard library, ``orchestra.container`` and ``orchestra.linux`` only: it begins quickly, and each command only costs
a fork. Standard input is a socket to the builder, which sends a request for each command: the directory of its bundle,
with its standard streams and a socket. At the other end of that is the builder, too. It first sends an *order*:

    trees      file systems that parts of are bound: their mounts, and where to make them below the bundle
    secrets    files to make on a tmpfs below the bundle: name, content in base64, mode, uid, gid
    variables  more lines of the environment

and is told {"warning"}, {"error"} or, at the end, {"exit_code", "killed_by_memory"}. When it sends no more or ends,
the command is killed with all that it started; then the socket is closed. Nothing of the order is ever written to a
disk, nor are its mounts seen on the machine: they are made in a mount namespace of the process for that command, to
which alone it was sent.
"""

from __future__ import annotations

import os
import sys

if __name__ == "__main__":
    # Isolated mode leaves it out. After the standard library it cannot shadow anything.
    sys.path.append(os.path.abspath(os.path.join(os.path.dirname(__file__), *[os.pardir] * 4)))

import base64
import signal
import socket
from errno import ECANCELED

from orchestra.container import init, oci, starting, wire
from orchestra.container.configuration import read_configuration
from orchestra.container.directory import ContainerDirectory
from orchestra.container.rootfs import mount_layer
from orchestra.container.settings import load_settings
from orchestra.linux import cgroup, namespaces, process
from orchestra.linux.mounts import mount
from orchestra.linux.readiness import first_readable
from orchestra.linux.syscall import SystemCallError

SECRETS = "secrets"


def main() -> None:
    requests = socket.socket(fileno=os.dup(0))
    # An interrupt goes to the builder, which then ends this.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM, signal.SIGHUP})
    # Until the program is executed, the container's processes must not look into one of ours (ptrace(2)).
    process.prctl(process.PR_SET_DUMPABLE, 0)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # children are not waited for
    while True:
        try:
            request, given = wire.receive(requests)
        except ConnectionResetError:
            return
        with socket.socket(fileno=given.pop()) as control:
            try:
                is_child = not os.fork()
            except OSError as error:
                _tell(control, {"error": wire.describe_error(error)})
                is_child = False
            if is_child:
                requests.close()
                _become(given)
                _carry_out(request["directory"], control)
                os._exit(0)
        for fd in given:
            os.close(fd)


def _become(streams: list[int]) -> None:
    """streams: descriptors of standard input, output and error."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.setsid()
    for number, fd in enumerate(streams):
        os.dup2(fd, number)
        os.close(fd)
    process.become_subreaper()


def _carry_out(directory: str, control: socket.socket) -> None:
    try:
        _run(ContainerDirectory(directory), control)
    except OSError as error:
        _tell(control, {"error": wire.describe_error(error)})


def _run(directory: ContainerDirectory, control: socket.socket) -> None:
    order, _ = wire.receive(control)
    _mount(directory, order)
    described = directory.load_config()
    described["process"]["env"] = [*described["process"]["env"], *order["variables"]]
    config, settings = read_configuration(described), load_settings(directory)
    group = cgroup.at(config.linux.cgroups_path, owner=directory.path, everywhere=False)

    def warn(text: str) -> None:
        _tell(control, {"warning": text})

    def describe(status: str) -> wire.Message:
        return oci.state(directory.name, status, 0, directory.path, config.annotations)

    def let_go(_channel: int) -> None:
        process.restore_signals()
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        control.close()

    try:
        for warning in group.create(config.linux.resources):
            warn(warning)
        pid, channel = starting.fork(config, settings, directory.path, group, warn, let_go=let_go)
        first = starting.StartingProcess(config, channel, describe, warn)
        while not first.created and first.hear():
            pass
        if first.created:
            channel.send(init.START)
        while first.hear():
            pass
        if not first.executing:
            raise SystemCallError(ECANCELED, "create", directory.name, "killed while it was being set up")
        channel.close()
        code = _await_end(pid, control)
        _tell(control, {"exit_code": code, "killed_by_memory": bool(group.oom_kills())})
    finally:
        group.kill()
        group.remove()


def _mount(directory: ContainerDirectory, order: wire.Message) -> None:
    namespaces.unshare(namespaces.CLONE_NEWNS)
    # What is unmounted on the machine must not be kept by this process.
    mount.mount("", "/", flags=mount.MS_REC | mount.MS_SLAVE)
    for tree in order["trees"]:
        point = directory.file(tree["point"])
        os.mkdir(point, 0o700)
        for layer in tree["mounts"]:
            mount_layer(layer, point)
    if not order["secrets"]:
        return
    os.mkdir(directory.file(SECRETS), 0o700)
    # Memory that is never swapped out is not to be had everywhere; a tmpfs is what Docker's secrets are in.
    flags = mount.MS_NOSUID | mount.MS_NODEV | mount.MS_NOEXEC
    mount.mount("tmpfs", directory.file(SECRETS), "tmpfs", flags, "mode=700")
    for secret in order["secrets"]:
        fd = os.open(directory.file(f"{SECRETS}/{secret['name']}"), os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            os.write(fd, base64.b64decode(secret["content"]))
            os.fchown(fd, secret["uid"], secret["gid"])
            os.fchmod(fd, secret["mode"])
        finally:
            os.close(fd)


def _await_end(pid: int, control: socket.socket) -> int:
    """The exit code of the first process."""
    pidfd = os.pidfd_open(pid)
    try:
        if pidfd not in first_readable([pidfd, control.fileno()]):
            signal.pidfd_send_signal(pidfd, signal.SIGKILL)
        _pid, status = os.waitpid(pid, 0)
    finally:
        os.close(pidfd)
    return process.exit_code(status)


def _tell(control: socket.socket, message: wire.Message) -> None:
    try:
        wire.send(control, message)
    except OSError:
        return  # the builder has ended


if __name__ == "__main__":
    main()
