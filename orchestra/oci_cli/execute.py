"""``exec``: one more program in a running container, whose parent is this process, or a subreaper."""

from __future__ import annotations

import json
import os
import signal
import socket
from errno import EBUSY, ECANCELED, EINVAL
from typing import Any

from orchestra.command_line.read import Misused
from orchestra.container import isolation
from orchestra.container.configuration import read_configuration
from orchestra.container.confinement import load_filter
from orchestra.container.description import parse_process
from orchestra.container.execution import bear_within, become_program, joined
from orchestra.container.starting import StartingProcess
from orchestra.linux import namespaces, process
from orchestra.linux.syscall import SystemCallError
from orchestra.oci_cli import console, fault
from orchestra.oci_cli.bundle import check_process
from orchestra.oci_cli.container import SECCOMP, describe
from orchestra.oci_cli.creation import store_pid

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from orchestra.oci_cli.arguments import Options
    from orchestra.oci_cli.context import Context

SETS = ("bounding", "effective", "permitted")


def exec_command(context: Context, options: Options, words: list[str]) -> int:
    container = context.container(words[0])
    found = container.find_running("created", "running", "paused")
    if found.status == "paused" and not options.flag("ignore-paused"):
        raise SystemCallError(EBUSY, "exec", words[0], "cannot exec in a paused container without --ignore-paused")
    config = read_configuration(container.directory.load("config.json"))
    description = parse_process(_describe(dict(config.process), options, words[1:]))
    detached = options.flag("detach")
    terminal = description.terminal
    keeper = console.open_console(options.value("console-socket"), terminal=terminal, detached=detached)
    wanted = load_filter(container.directory, config, SECCOMP)
    target = process.open_pidfd(container.process_of(found.record))
    linux = config.linux
    flags = joined(linux, found.pid)
    between = bool(flags & namespaces.CLONE_NEWPID)
    if not between:
        # Processes of the container must not look into one of ours that is born in it (ptrace(2), PR_SET_DUMPABLE).
        process.prctl(process.PR_SET_DUMPABLE, 0)
        bear_within(linux, found.pid, target)
    process.hide_origin("orchestra-exec")  # the container sees the process that becomes its program
    group = container.group_of(found.record)
    within = _groups(options)
    if within:
        group = group.below(within)
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    preserved = options.number("preserve-fds") or 0
    if not detached:
        # The program may send a signal that must be passed on before this process is ready for it.
        signal.pthread_sigmask(signal.SIG_BLOCK, console.FORWARDED)
    if found.record.get("resctrl"):
        from orchestra.linux import resctrl

        resctrl.enter(found.record["resctrl"]["groups"], os.getpid())
    own_mounts = flags & namespaces.CLONE_NEWNS
    root = -1 if own_mounts else os.open(f"/proc/{found.pid}/root", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    pid = group.fork(beside=0 if within else found.pid)
    if pid == 0:
        ours.close()
        streams = () if terminal else (0, 1, 2)
        become_program(
            description, config, streams, target, flags, group, wanted, theirs, preserved=preserved, root=root
        )
    theirs.close()
    os.close(target)
    if between:
        pid = isolation.await_sibling(pid, ours, linux, context.report.warning)
    fault.reach("fork")

    def describe_it(_status: str) -> dict[str, Any]:
        return describe(found, container.name)

    program = StartingProcess(config, ours, describe_it, context.report.warning, pid)
    try:
        if detached:
            while program.hear():
                continue
        else:
            console.await_program(program)
        if not program.executing:
            raise SystemCallError(ECANCELED, "exec", "", "killed while it was being set up")
        if keeper is not None:
            master = program.take_master()
            console.send_master(keeper, master)
            os.close(master)
        path = options.value("pid-file")
        if path is not None:
            store_pid(path, pid)
    except BaseException:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        raise
    return 0 if detached else console.attend(pid, program.master)


def _groups(options: Options) -> dict[str, str]:
    """``--cgroup [CONTROLLER[,CONTROLLER...]:]PATH``, below the container's own groups."""
    paths: dict[str, str] = {}
    for word in options.values("cgroup"):
        controllers, _, path = word.rpartition(":")
        paths |= dict.fromkeys(controllers.split(","), path)
    return paths


def _describe(own: Mapping[str, Any], options: Options, arguments: list[str]) -> dict[str, Any]:
    """The process object: from a file as it is, or the container's own, changed by the options."""
    path = options.value("process")
    if path is not None:
        with open(path, "rb") as file:
            description: dict[str, Any] = json.load(file)
        if options.flag("tty"):
            description["terminal"] = True
    else:
        if not arguments:
            raise Misused("exec: give a command, or --process FILE")
        description = {**own, "args": arguments, "terminal": options.flag("tty")}
        _change(description, options)
    if not description.get("args"):
        raise SystemCallError(EINVAL, "config", "process.args", "there is no program to run")
    check_process(description)
    return description


def _change(description: dict[str, Any], options: Options) -> None:
    cwd, user = options.value("cwd"), options.value("user")
    if cwd is not None:
        description["cwd"] = cwd
    description["env"] = [*(description.get("env") or ()), *options.values("env")]
    if user is not None:
        uid, _, gid = user.partition(":")
        if not uid.isdigit() or (gid and not gid.isdigit()):
            raise Misused(f"--user: expected numbers UID[:GID], not {user!r}")
        description["user"] = {"uid": int(uid), "gid": int(gid or 0)}
    groups = options.values("additional-gids")
    if groups:
        described = dict(description.get("user") or {})
        described["additionalGids"] = [*(described.get("additionalGids") or ()), *(int(group) for group in groups)]
        description["user"] = described
    for option, key in (("apparmor", "apparmorProfile"), ("process-label", "selinuxLabel")):
        label = options.value(option)
        if label is not None:
            description[key] = label
    if options.flag("no-new-privs"):
        description["noNewPrivileges"] = True
    names = options.values("cap")
    if names:
        sets = dict(description.get("capabilities") or {})
        for kind in SETS:
            sets[kind] = sorted({*(sets.get(kind) or ()), *names})
        description["capabilities"] = sets
