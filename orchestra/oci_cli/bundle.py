"""A bundle named by the caller: its configuration, read and checked for what later steps rely on."""

from __future__ import annotations

import json
import os
from errno import EINVAL, ENOENT, ENOTDIR, EPERM

from orchestra.container import isolation
from orchestra.container.configuration import read_linux
from orchestra.linux.cgroup import is_scope, own_parent
from orchestra.linux.syscall import SystemCallError
from orchestra.named_tuple import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

OCI_MAJOR = "1"
KEPT_IN = "orchestra-runtime"  # the group of containers whose configuration names none


class Bundle(NamedTuple):
    path: str
    config: dict[str, Any]
    cgroup: str

    @property
    def rootfs(self) -> str:
        return os.path.join(self.path, self.config["root"]["path"])


def load_bundle(path: str | None, name: str, configuration: str | None = None, *, manager: str) -> Bundle:
    """configuration: the file, if it is not the bundle's ``config.json``; a relative path is relative to the bundle.

    manager: of control groups; with ``systemd``, ``linux.cgroupsPath`` names a scope.
    """
    directory = os.path.realpath(path or ".")
    file = os.path.join(directory, configuration or "config.json")
    try:
        with open(file, "rb") as source:
            config = json.loads(source.read())
    except FileNotFoundError:
        raise SystemCallError(ENOENT, "open", file, "a bundle is a directory with a config.json") from None
    except ValueError as error:
        raise _invalid("", f"{file} is not JSON: {error}") from None
    if not isinstance(config, dict):
        raise _invalid("", f"{file} is not a JSON object")
    version = config.get("ociVersion")
    if not isinstance(version, str) or version.partition(".")[0] != OCI_MAJOR:
        raise _invalid("ociVersion", f"{version!r} is not version 1 of the OCI runtime specification")
    process = config.get("process")
    if not isinstance(process, dict) or not process.get("args"):
        raise _invalid("process.args", "there is no program to run")
    check_process(process)
    root = config.get("root")
    if not isinstance(root, dict) or not root.get("path"):
        raise _invalid("root.path", "root.path is missing")
    _map_caller(config.get("linux") or {})
    if os.geteuid() and "user" not in isolation.Namespaces(read_linux(config.get("linux") or {})):
        hint = "without root a container needs a user namespace: see `spec --rootless`"
        raise SystemCallError(EPERM, "config", "linux.namespaces", hint)
    bundle = Bundle(directory, config, cgroup_path(config, name, manager))
    if not os.path.isdir(bundle.rootfs):
        raise SystemCallError(ENOTDIR, "config", bundle.rootfs, "root.path is not a directory")
    return bundle


def check_process(process: dict[str, Any]) -> None:
    if not process.get("cwd", "/").startswith("/"):
        raise _invalid("process.cwd", "the working directory must be an absolute path")


def _map_caller(linux: dict[str, Any]) -> None:
    """For a user namespace without mappings, map only the caller, as its root."""
    kinds = [entry.get("type") for entry in linux.get("namespaces") or () if not entry.get("path")]
    if "user" in kinds and not linux.get("uidMappings") and not linux.get("gidMappings"):
        linux["uidMappings"] = [{"containerID": 0, "hostID": os.geteuid(), "size": 1}]
        linux["gidMappings"] = [{"containerID": 0, "hostID": os.getegid(), "size": 1}]


def cgroup_path(config: dict[str, Any], name: str, manager: str) -> str:
    """Without root, a relative path is placed beside our own group, where one may have been delegated."""
    path: str = (config.get("linux") or {}).get("cgroupsPath") or ""
    if manager == "disabled":
        return ""
    if manager == "systemd":
        path = path or f":{KEPT_IN}:{name}"
        if not is_scope(path):
            raise _invalid("linux.cgroupsPath", f"{path}: with --systemd-cgroup it is SLICE:PREFIX:NAME")
        return path
    if is_scope(path):
        raise _invalid("linux.cgroupsPath", f"{path} is for systemd: use --systemd-cgroup")
    if ".." in path.split("/"):
        raise _invalid("linux.cgroupsPath", f"{path} contains ..")
    path = path or f"{KEPT_IN}/{name}"
    return path if path.startswith("/") else f"{own_parent() if os.geteuid() else ''}/{path}"


def _invalid(field: str, problem: str) -> SystemCallError:
    return SystemCallError(EINVAL, "config", field, problem)
