"""``create`` and ``run``."""

from __future__ import annotations

import os
from errno import EACCES

from orchestra.container import isolation
from orchestra.container.configuration import read_configuration, read_linux
from orchestra.linux import process
from orchestra.linux.syscall import SystemCallError
from orchestra.oci_cli import console, creation, fault
from orchestra.oci_cli.bundle import load_bundle

TYPE_CHECKING = False
if TYPE_CHECKING:
    from orchestra.oci_cli.arguments import Options
    from orchestra.oci_cli.bundle import Bundle
    from orchestra.oci_cli.container import Container
    from orchestra.oci_cli.context import Context


def create_command(context: Context, options: Options, words: list[str]) -> int:
    container, _bundle, _made = _create(context, options, words[0], start=False, detached=True)
    container.unlock()
    return 0


def run_command(context: Context, options: Options, words: list[str]) -> int:
    detached = options.flag("detach")
    container, bundle, made = _create(context, options, words[0], start=True, detached=detached)
    from orchestra.oci_cli.start import tell_started

    try:
        tell_started(context, container, read_configuration(bundle.config))
    finally:
        container.unlock()
    if made.readiness is not None:
        from threading import Thread

        pass_on = Thread(target=made.readiness.pass_on, args=(os.pidfd_open(made.pid), context.report.warning))
        pass_on.start()
        if detached:
            pass_on.join()
    if detached:
        return 0
    code = console.attend(made.pid, made.master)
    fault.reach("attended")
    if not options.flag("keep"):
        from orchestra.oci_cli.delete import delete

        delete(context, container, force=True)
    return code


def _create(
    context: Context, options: Options, name: str, *, start: bool, detached: bool
) -> tuple[Container, Bundle, creation.Made]:
    container = context.container(name)
    bundle = load_bundle(options.value("bundle"), name, options.value("config"), manager=context.manager)
    terminal = bool(bundle.config["process"].get("terminal"))
    wishes = creation.Wishes(
        start=start,
        console=console.open_console(options.value("console-socket"), terminal=terminal, detached=detached),
        pid_file=options.value("pid-file"),
        preserved=(options.number("preserve-fds") or 0) + _listened(bundle.config["process"]),
        pivot=not options.flag("no-pivot"),
        own_keyring=not options.flag("no-new-keyring"),
    )
    # Sticky: otherwise unused files of a user's directory are removed (XDG Base Directory Specification).
    try:
        os.makedirs(context.root, 0o1700, exist_ok=True)
        if os.geteuid() and not os.access(context.root, os.W_OK | os.X_OK):
            raise PermissionError  # root uses runtimes here as well
    except PermissionError as error:
        hint = "without root, set XDG_RUNTIME_DIR or use --root"
        raise SystemCallError(EACCES, "mkdir", context.root, hint) from error
    if not isolation.Namespaces(read_linux(bundle.config["linux"])).are_rootless:
        # Until the program is executed, the container's processes must not look into one of ours (ptrace(2)).
        process.prctl(process.PR_SET_DUMPABLE, 0)
    return container, bundle, creation.create(container, bundle, wishes, context.report)


def _listened(description: dict[str, object]) -> int:
    if "LISTEN_FDS" not in os.environ:
        return 0
    from orchestra.oci_cli.activation import passed_on

    return passed_on(description)
