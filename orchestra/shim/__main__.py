"""Start of the fork server: ``python -I -S .../orchestra/shim/__main__.py JSON``, by ``orchestra.shim.launch``.

JSON is {"run": the stack's directory, "supervisor": [file of Python, argument...], "paths": where that finds modules,
"rootless": ``Home.rootless``, empty for root}.
Descriptor 3 is the lock, held for as long as this process lives; descriptor 4 is written to when clients can connect,
and descriptor 5 is the lock of launchers, held until then: the next launcher finds this process listening, even if the
one that started it has been killed. Standard output and error are the stack's log.
"""

import gc
import os
import sys

LOCK_FD = 3
READY_FD = 4
LAUNCH_FD = 5


def main() -> None:
    # A second fork, so that this process is not a child of the launcher: the process that the launcher started ends
    # here.
    if os.fork():
        os._exit(0)
    gc.disable()  # imported modules are no garbage; the supervisor enables it again
    os.closerange(LAUNCH_FD + 1, 1 << 20)
    for fd in (LOCK_FD, READY_FD, LAUNCH_FD):
        os.set_inheritable(fd, False)
    # Isolated mode leaves the package's directory out of the path. After the standard library it cannot shadow
    # anything.
    root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    sys.path.append(root)
    import contextlib
    import json

    from orchestra.linux import oom_score, process, unix_socket
    from orchestra.shim.supervision import Supervisor

    os.chdir("/")
    os.umask(0o022)
    process.set_name("orchestra-fork")
    # Processes of a container must not look into one of ours while it joins them (ptrace(2), PR_SET_DUMPABLE).
    process.prctl(process.PR_SET_DUMPABLE, 0)
    process.become_subreaper()
    oom_score.lower()
    order = json.loads(sys.argv[1])
    if order["rootless"]:
        from orchestra.home import OWNER
        from orchestra.rootless import groups

        try:
            groups.enter(order["rootless"], int(os.environ[OWNER]))
        except OSError as error:
            print(f"containers have no limits: {error}", file=sys.stderr, flush=True)
    try:
        listener = unix_socket.listen(f"{order['run']}/fork.sock")
        supervisor = Supervisor(order["supervisor"], [*order["paths"], root], f"{order['run']}/control.sock")
    except OSError as error:  # no space is left, or the directory has been removed
        sys.exit(f"the fork server cannot start: {error}")
    with contextlib.suppress(BrokenPipeError):  # the launcher has been killed; others wait for the lock
        os.write(READY_FD, b"\n")
    os.close(READY_FD)
    os.close(LAUNCH_FD)

    # Both processes need these; what only this one needs it imports while the supervisor starts, on another processor.
    import orchestra.container.init
    import orchestra.linux.cgroup  # noqa: F401

    supervisor.start()
    from orchestra.shim.fork_server import ForkServer

    server = ForkServer(order["run"], listener, supervisor)
    server.open()
    server.serve()


if __name__ == "__main__":
    main()
