"""``features``: what this runtime can do, in the form of the OCI runtime spec's "Features Structure"."""

from __future__ import annotations

import json

from orchestra import __version__
from orchestra.container import hooks, init, privileges
from orchestra.linux import namespaces
from orchestra.linux.mounts import mount
from orchestra.linux.security import capabilities, libseccomp, seccomp
from orchestra.linux.systemd.annotations import PREFIX
from orchestra.oci_cli import OCI_VERSION

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from orchestra.oci_cli.arguments import Options
    from orchestra.oci_cli.context import Context


def features_command(_context: Context, _options: Options, _words: list[str]) -> int:
    print(json.dumps(features(), indent=2))
    return 0


def features() -> dict[str, Any]:
    """Taken from the tables that the code itself uses."""
    return {
        "ociVersionMin": "1.0.0",
        "ociVersionMax": OCI_VERSION,
        "hooks": [*hooks.BEFORE_START, "poststart", "poststop"],
        "mountOptions": sorted(
            {*mount.FLAGS, *mount.PROPAGATION, *mount.RECURSIVE, *mount.IDMAP, mount.TMPCOPYUP, mount.COPY_SYMLINK}
        ),
        "linux": {
            "namespaces": sorted(namespaces.FLAGS),
            "capabilities": list(capabilities.NAMES[: capabilities.LAST + 1]),
            "cgroup": {"v1": True, "v2": True, "systemd": True, "systemdUser": False, "rdma": True},
            "seccomp": {
                "enabled": libseccomp.is_installed(),
                "actions": sorted(libseccomp.ACTIONS),
                "operators": sorted(libseccomp.OPERATORS),
                "archs": libseccomp.architectures(),
                "knownFlags": sorted(seccomp.FLAGS),
                "supportedFlags": sorted(seccomp.FLAGS),
            },
            "apparmor": {"enabled": True},
            "selinux": {"enabled": True},
            "intelRdt": {"enabled": True},
            "mountExtensions": {"idmap": {"enabled": True}},
        },
        "annotations": {"io.orchestra.runtime.version": __version__},
        "potentiallyUnsafeConfigAnnotations": [
            init.REAPER_ANNOTATION,
            privileges.KEEP_GROUPS_ANNOTATION,
            PREFIX,
        ],
    }
