"""OCI runtime specification, config-linux: "Sysctl". A parameter of the machine is none of a container's."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.oci_cli.test_namespaces import without


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("kernel.shmmni", "1234"),
        ("kernel/msgmax", "8193"),
        ("fs.mqueue.queues_max", "123"),
        ("net.ipv4.ip_forward", "1"),
        ("kernel.domainname", "example"),
    ],
)
def test_a_parameter_of_its_own_namespaces_is_set(ours, key, value):
    path = f"/proc/sys/{key if '/' in key else key.replace('.', '/')}"
    ours.bundle("cat", path).linux["sysctl"] = {key: value}
    assert ours.ok("run", "c") == f"{value}\n"


@pytest.mark.parametrize(
    "key",
    ["vm.swappiness", "kernel.panic", "kernel.foo", "fs.file-max", "user.max_user_namespaces", "net/../kernel/panic"],
)
def test_a_parameter_of_the_machine_is_refused(ours, key):
    path = Path("/proc/sys", key if "/" in key else key.replace(".", "/"))
    before = path.read_text() if path.exists() else None
    ours.bundle("true").linux["sysctl"] = {key: "1"}
    assert "the machine's would be changed" in ours.fails("create", "c")
    assert before is None or path.read_text() == before


BY_PATH = pytest.mark.lacks(crun="it looks at no paths", runc="it looks at the path of the network alone")


@pytest.mark.parametrize(
    ("key", "kind"),
    [
        ("kernel.msgmax", "ipc"),
        ("fs.mqueue.queues_max", "ipc"),
        ("net.ipv4.ip_forward", "network"),
        ("kernel.domainname", "uts"),
    ],
)
@pytest.mark.parametrize("shared", ["none", pytest.param("path", marks=BY_PATH)])
def test_a_parameter_of_a_namespace_that_is_shared_with_the_machine_is_refused(runtime, key, kind, shared):
    before = Path("/proc/sys", key.replace(".", "/")).read_text()
    bundle = runtime.bundle("true")
    bundle.config.pop("hostname", None)
    bundle.config["mounts"] = [m for m in bundle.config["mounts"] if m["type"] not in ("sysfs", "mqueue", "cgroup")]
    without(bundle, kind)
    if shared == "path":
        file = f"/proc/self/ns/{'net' if kind == 'network' else kind}"
        bundle.linux["namespaces"].append({"type": kind, "path": file})
    bundle.linux["sysctl"] = {key: before.strip()}
    assert runtime.fails("create", "c")


def test_the_host_name_has_a_field_of_its_own(runtime):
    runtime.bundle("true").linux["sysctl"] = {"kernel.hostname": "name"}
    assert runtime.fails("create", "c")
