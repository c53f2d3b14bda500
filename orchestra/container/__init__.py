"""The box: what turns an OCI configuration into a process. Shared by the shims and ``orchestra-runtime``.

What may live here: standard library and ``orchestra.linux`` only, single-threaded, cheap to import, no policy. Most of
it runs in a process that was forked to become a container's own.

One *container directory* (``StackHome.container(name)``) holds all there is to know about a container:
docs/reference/files.md lists its files and who writes them. They are written by temporary name and rename(2).

shim.json is ``orchestra.container.settings``. The mounts of its ``rootfs`` are made over rootfs/ in order (containerd's
notion of a snapshot), in a mount namespace of the container's own: the host's mount table never shows them.
"""

OCI_VERSION = "1.2.0"
"""Of the runtime specification."""
