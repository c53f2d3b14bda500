"""The box: what turns an OCI configuration into a process. Shared by the shims and ``orchestra-runtime``.

What may live here: standard library and ``orchestra.linux`` only, single-threaded, cheap to import, no policy. Most of
it runs in a process that was forked to become a container's own.

One *container directory* (``StackHome.container(name)``) holds all there is to know about a container. Its files, and
who writes them:

    config.json    driver   the OCI runtime configuration (runtime-spec 1.2)
    shim.json      driver   what the shim needs beyond OCI, see below
    container.json driver   the container as it was created, for observing; others of the driver's files stand beside it
    stdin, stdout, stderr   shim: FIFOs of a container without a terminal; the container opens stdout and stderr
                            read-write, so a reader always exists and a lost shim never costs it a SIGPIPE
    shim.sock      shim     attach: raw bytes of stdin in, of stdout and stderr out; terminal master handed out here
    shim.pid       shim     {"pid", "start_time"}: the process of the shim, which may live on for others
    state.json     shim     {"pid", "start_time", "started_at"}: the container's first process; pid as the host sees it
    exit.json      shim     {"exit_code", "oom_killed", "started_at", "finished_at"}: written whole when a run has ended
    log.note       shim     the chunk of output that is just being written, see ``orchestra.shim.log``
    rootfs/        shim     where the root is mounted, in the container's own mount namespace only

start_time is field 22 of /proc/PID/stat in clock ticks: with the pid it names a process for good. Files are written by
temporary name and rename(2). A run begins by removing exit.json and state.json and ends
by exit.json appearing; state.json stays.

shim.json is ``orchestra.container.settings``. The mounts of its ``rootfs`` are made over rootfs/ in order (containerd's
notion of a snapshot), in a mount namespace of the container's own: the host's mount table never shows them.
"""

OCI_VERSION = "1.2.0"
"""Of the runtime specification."""
