"""The command line: global options, the table of commands, and errors as messages and exit codes."""

from __future__ import annotations

import gc
import os
import sys

from orchestra.command_line.option import FLAG, LIST
from orchestra.command_line.read import Misused
from orchestra.oci_cli.arguments import declared, parse

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from orchestra.oci_cli.arguments import Options
    from orchestra.oci_cli.context import Context

    Command = Callable[[Context, Options, list[str]], int]

GLOBAL = "root= log= log-format= debug systemd-cgroup cgroup-manager= rootless= version|v help|h"
CREATION = (
    "bundle|b= config|f= pid-file= console-socket= preserve-fds= no-pivot no-new-keyring no-subreaper keep detach|d"
)
PROCESS = """process|p= tty|t console-socket= pid-file= detach|d user|u= additional-gids|g* cwd= env|e* cap|c*
preserve-fds= no-new-privs cgroup* ignore-paused apparmor= process-label="""
LIMITS = """resources|r= memory= memory-swap= memory-reservation= cpu-period= cpu-quota= cpu-shares|cpu-share=
cpu-burst= cpu-idle= cpu-rt-period= cpu-rt-runtime= cpuset-cpus= cpuset-mems= pids-limit= blkio-weight="""

# Name: module, options, arguments, whether options may stand between arguments, help.
COMMANDS = {
    "create": ("create", CREATION, "ID", True, "create a container, without running its program"),
    "start": ("start", "", "ID", True, "run the program of a created container"),
    "run": ("create", CREATION, "ID", True, "create, start, wait and delete"),
    "state": ("listing", "", "ID", True, "print the state of a container"),
    "kill": ("delete", "all|a", "ID [SIGNAL]", True, "send a signal to a container"),
    "delete": ("delete", "force|f", "ID", True, "remove a stopped container"),
    "exec": ("execute", PROCESS, "ID [COMMAND ARGUMENT...]", False, "run another program in a container"),
    "ps": ("listing", "format|f=", "ID [OPTION OF ps...]", False, "print the processes of a container"),
    "list": ("listing", "format|f= quiet|q", "", True, "print all containers"),
    "pause": ("resources", "", "ID", True, "suspend all processes of a container"),
    "resume": ("resources", "", "ID", True, "resume a paused container"),
    "update": ("resources", LIMITS, "ID", True, "change the limits of a container"),
    "events": (
        "events",
        "stats interval=",
        "ID",
        True,
        "print resource usage, and report when memory runs out",
    ),
    "spec": ("spec", "bundle|b= rootless", "", True, "write a default configuration"),
    "features": ("features", "", "", True, "print what this runtime can do"),
}
MANAGERS = ("cgroupfs", "systemd", "disabled")
ENTERING = ("create", "run", "exec")  # a process of ours becomes one of a container
PROGRAM_FAILED = 255  # of ``exec`` and ``run``, as in runc: no program ran whose exit code could be passed on


def usage() -> str:
    lines = ["usage: orchestra-runtime [--root DIR] [--log FILE] [--log-format text|json] [--debug] COMMAND ...", ""]
    lines += [f"  {f'{name} {row[2]}':34} {row[4]}" for name, row in COMMANDS.items()]
    return "\n".join(lines)


def command_usage(name: str) -> str:
    _module, options, words, _mixed, text = COMMANDS[name]
    lines = [f"usage: orchestra-runtime {name} [OPTION...] {words}".rstrip(), "", f"  {text}", ""]
    for option in declared(options):
        value = {FLAG: "", LIST: " VALUE ..."}.get(option.kind, " VALUE")
        lines.append(f"  {', '.join(option.flags)}{value}")
    return "\n".join(lines)


def main(argv: Sequence[str] | None = None, *, again: bool = False) -> int:
    """again: started a second time by ``sealed``, which does so for commands that enter a container."""
    gc.disable()  # looking for garbage would take an eighth of the time of ``run``, and there is none
    code = _run(list(sys.argv[1:] if argv is None else argv), again=again)
    gc.freeze()  # otherwise the interpreter looks for it once more at its end
    return code


def _run(everything: list[str], *, again: bool) -> int:
    if None in (sys.stdin, sys.stdout, sys.stderr):
        from orchestra.linux.standard_streams import open_closed_streams

        open_closed_streams()
    try:
        options, words = parse(GLOBAL, everything, interspersed=False)
    except Misused as error:
        return _misused(str(error))
    if options.flag("version"):
        return _print_version()
    if options.flag("help") or not words or words[0] == "help":
        print(usage())
        return 0 if words or options.flag("help") else 1
    name, *words = words
    row = COMMANDS.get(name)
    if row is None:
        return _misused(f"no such command: {name}")
    from orchestra.oci_cli.report import Report

    try:
        report = Report(options.value("log"), options.value("log-format"), debug=options.flag("debug"))
        manager = "systemd" if options.flag("systemd-cgroup") else options.value("cgroup-manager") or MANAGERS[0]
        if manager not in MANAGERS:
            raise Misused(f"--cgroup-manager: expected {', '.join(MANAGERS)}, not {manager!r}")
    except Misused as error:
        return _misused(str(error))
    try:
        given, words = parse(f"{row[1]} help|h", words, interspersed=row[3])
        if given.flag("help"):
            print(command_usage(name))
            return 0
        needed = sum(1 for word in row[2].split() if word == "ID")
        if len(words) < needed or (row[3] and len(words) > len(row[2].split())):
            raise Misused(f"expected: {name} {row[2]}")
    except Misused as error:
        report.error(f"{name}: {error}")
        return 1
    if name in ENTERING:
        from orchestra.oci_cli import sealed

        try:
            sealed.protect(everything, again=again)
        except OSError as error:
            report.error(f"{name}: {error}")
            return PROGRAM_FAILED if name == "exec" else 1
    from orchestra.oci_cli.context import Context, default_root

    context = Context(os.path.abspath(options.value("root") or default_root()), report, manager)
    return _call(name, row[0], context, given, words)


def _call(name: str, module: str, context: Context, options: Options, words: list[str]) -> int:
    from importlib import import_module

    report = context.report
    report.debug(f"{name} {' '.join(words)}")
    try:
        function: Command = getattr(import_module(f"orchestra.oci_cli.{module}"), f"{name}_command")
        return function(context, options, words)
    except Misused as error:
        report.error(f"{name}: {error}")
        return 1
    except OSError as error:
        report.error(f"{name}: {_explain(error)}")
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        import traceback

        report.error(f"{name}: the configuration is not valid: {type(error).__name__}: {error}")
        report.debug("".join(traceback.format_exception(error)))
    return PROGRAM_FAILED if name == "exec" else 1


def _explain(error: OSError) -> str:
    """In the form that callers expect: Docker and podman look for a lower-case ``no such file or directory``."""
    said = error.strerror or ""
    return str(error).replace(said, said[:1].lower() + said[1:], 1)


def _misused(text: str) -> int:
    print(f"orchestra-runtime: {text}\n\n{usage()}", file=sys.stderr)
    return 1


def _print_version() -> int:
    from orchestra import __version__
    from orchestra.oci_cli import OCI_VERSION

    print(f"orchestra-runtime version {__version__}\nspec: {OCI_VERSION}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
