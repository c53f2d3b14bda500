"""The page of Compose attributes is true: what it calls applied has an effect, what it calls parsed only has none."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from orchestra.compose.builds import builds
from orchestra.driver.local.unsupported import LACKS, REFUSED, UNSUPPORTED
from orchestra.model.mount import FileMount
from orchestra.record import replace
from tools.reference.attributes import REMARKS, Attribute, State, attributes

OF_OTHERS = (
    *(f"services.*.{name}" for name in ("build", "develop", "networks.", "post_start", "pre_start", "pre_stop")),
    "networks.",
)

if TYPE_CHECKING:
    from orchestra.model.build import BuildSpec
    from orchestra.model.desired import Desired
    from orchestra.model.watch import WatchRule

BASE: dict[str, Any] = {
    "services": {
        "a": {
            "image": "x",
            "ports": [{"target": 80}],
            "networks": {"n": {}},
            "volumes": [{"type": "volume", "source": "v", "target": "/v"}],
            "configs": [{"source": "c", "target": "/c"}],
            "secrets": [{"source": "s", "target": "/s"}],
            "healthcheck": {"test": ["CMD", "true"]},
            "deploy": {"resources": {"reservations": {"devices": [{"capabilities": ["gpu"]}]}}},
            "gpus": [{}],
        },
        "b": {"image": "y", "networks": {"n": None}},
    },
    "networks": {"n": {"ipam": {"config": [{"subnet": "10.9.0.0/24"}]}}},
    "volumes": {"v": {}},
    "configs": {"c": {"file": "./c"}},
    "secrets": {"s": {"file": "./s"}},
    "models": {"k": {"model": "m"}},
}
VALUES = {"integer": 7, "number": 1.5, "boolean": True, "size": "64m", "duration": "7s", "file mode": 0o440}
VALUES |= {"size or percentage": "10%"}
VALUES |= {"mapping of strings": {"k": "v"}, "mapping of strings or nulls": {"k": "v"}, "list of strings": ["t"]}
VALUES |= {"string": "t", "microseconds or duration": 5000, "string or null": "t"}
# What must be of a certain look, or needs something beside it, which is then in both files.
SPECIAL: dict[str, Any] = {
    "services.*.attach": False,
    "services.*.deploy.endpoint_mode": "vip",
    "services.*.deploy.update_config.order": "start-first",
    "services.*.deploy.resources.limits.cpus": 0.5,
    "services.*.depends_on.*.condition": "service_completed_successfully",
    "services.*.build.extra_hosts": ["h=10.0.0.1"],
    "services.*.build.secrets.[].source": "s2",
    "services.*.cap_add": ["KILL"],
    "services.*.cap_drop": ["KILL"],
    "services.*.cpuset": "0",
    "services.*.device_cgroup_rules": ["c 1:3 mr"],
    "services.*.expose": ["80"],
    "services.*.mem_swappiness": 60,
    **{f"services.*.{path}.[].count": 7 for path in ("gpus", "deploy.resources.reservations.devices")},
    **dict.fromkeys(("services.*.blkio_config.weight", "services.*.blkio_config.weight_device.[].weight"), 300),
    "services.*.extra_hosts": ["h=10.0.0.1"],
    "services.*.healthcheck.test": ["CMD", "false"],
    "services.*.ipc": "host",
    "services.*.links": ["b:c"],
    "services.*.network_mode": "none",
    "services.*.pid": "host",
    "services.*.uts": "host",
    "services.*.cgroup": "host",
    "services.*.ports.[].published": "8080",
    "services.*.ports.[].protocol": "udp",
    "services.*.pull_policy": "always",
    "services.*.restart": "always",
    "services.*.tmpfs": ["/tmp"],
    "services.*.volumes.[].source": "w",
    "services.*.volumes.[].bind.recursive": "disabled",
    "services.*.volumes.[].type": "tmpfs",
    "services.*.volumes_from": ["b"],
    "services.*.env_file.[].path": "other.env",
    "services.*.env_file.[].required": False,
    "services.*.label_file": ["labels.env"],
    "services.*.configs.[].source": "c2",
    "services.*.secrets.[].source": "s2",
    "services.*.deploy.restart_policy.condition": "on-failure",
    "services.*.logging.driver": "none",
    "services.*.logging.options": {"max-size": "1m"},
    **{f"services.*.{kind}.[].{key}": "1000" for kind in ("configs", "secrets") for key in ("uid", "gid")},
    **{f"{kind}.*.environment": "B" for kind in ("configs", "secrets")},
    "networks.*.ipam.config.[].subnet": "10.8.0.0/24",
    "networks.*.ipam.config.[].gateway": "10.9.0.9",
    "networks.*.ipam.config.[].ip_range": "10.9.0.128/25",
    "networks.*.ipam.config.[].aux_addresses": {"k": "10.9.0.9"},
    "services.*.networks.*.ipv4_address": "10.9.0.9",
    "services.*.networks.*.driver_opts": {"com.docker.network.endpoint.ifname": "wan"},
    "services.*.networks.*.link_local_ips": ["169.254.7.7"],
}
WATCHED = {
    "services.*.develop": {
        "watch": [{"path": "p", "action": "sync+exec", "target": "/p", "exec": {"command": ["make"]}}],
    }
}
RULE = ("action", "ignore", "include", "initial_sync", "path", "target")
EXEC = ("command", "environment", "image", "per_replica", "privileged", "user", "working_dir")
DISKS = {
    f"services.*.blkio_config.device_{way}_{unit}": "rate" for way in ("read", "write") for unit in ("bps", "iops")
}
DISKS["services.*.blkio_config.weight_device"] = "weight"
BESIDE: dict[str, dict[str, Any]] = {
    **{
        f"{path}.[].{key}": {path: [{"path": "/dev/sda", other: 30}]}
        for path, other in DISKS.items()
        for key in ("path", other)
    },
    "services.*.build.secrets.[].source": {
        "services.*.build.secrets": [{"source": "s"}],
        "secrets.s2": {"file": "./s2"},
    },
    **{
        f"services.*.build.secrets.[].{key}": {"services.*.build.secrets": [{"source": "s"}]}
        for key in ("gid", "mode", "target", "uid")
    },
    "services.*.cpu_period": {"services.*.cpu_quota": 20000},
    "services.*.depends_on.*.condition": {"services.*.depends_on": {"b": {"condition": "service_started"}}},
    "services.*.depends_on.*.restart": {"services.*.depends_on": {"b": {"condition": "service_started"}}},
    "services.*.depends_on.*.required": {"services.*.depends_on": {"b": {"condition": "service_started"}}},
    "services.*.deploy.restart_policy.max_attempts": {"services.*.deploy.restart_policy": {"condition": "on-failure"}},
    "services.*.env_file.[].format": {"services.*.env_file": [{"path": "quoted.env"}]},
    "services.*.env_file.[].path": {"services.*.env_file": [{"path": "quoted.env"}]},
    "services.*.healthcheck.start_interval": {"services.*.healthcheck.start_period": "9s"},
    "services.*.network_mode": {"services.*.networks": None},
    "services.*.provider.options": {"services.*.provider": {"type": "x"}},
    "services.*.pull_refresh_after": {"services.*.pull_policy": "refresh"},
    "services.*.volumes.[].type": {"services.*.volumes.[].source": None},
    "services.*.volumes.[].source": {"volumes.w": {}},
    "services.*.configs.[].source": {"configs.c2": {"file": "./c2"}},
    "services.*.secrets.[].source": {"secrets.s2": {"file": "./s2"}},
    **{
        f"services.*.develop.watch.[].{key}": WATCHED for key in ("action", "ignore", "include", "initial_sync", "path")
    },
    **{f"services.*.develop.watch.[].{key}": WATCHED for key in (*RULE, *(f"exec.{name}" for name in EXEC))},
    **{f"{k}.*.content": {f"{k}.*.file": None, f"{k}.*.content": "other"} for k in ("configs", "secrets")},
    **{f"{k}.*.environment": {f"{k}.*.file": None, f"{k}.*.environment": "A"} for k in ("configs", "secrets")},
    "services.*.volumes.[].bind.recursive": {"services.*.volumes.[].read_only": True},
    "services.*.devices.[].target": {"services.*.devices": [{"source": "/dev/null"}]},
    "services.*.devices.[].permissions": {"services.*.devices": [{"source": "/dev/null"}]},
}
# A hook needs a command.
BESIDE |= {
    f"services.*.{hook}.[].{name}": {f"services.*.{hook}": [{"command": ["true"]}]}
    for hook in ("post_start", "pre_start", "pre_stop")
    for name in ("command", "environment", "image", "per_replica", "privileged", "user", "working_dir")
}
# Mappings that are not accepted with only one of their keys.
WHOLE: dict[str, Any] = {
    "services.*.blkio_config": {"weight": 300},
    "services.*.provider": {"type": "x"},
}
BIND = {"services.*.volumes.[].type": "bind", "services.*.volumes.[].source": "./d"}
IMAGE = {"services.*.volumes.[].type": "image", "services.*.volumes.[].source": "z"}
TMPFS = {"services.*.volumes.[].type": "tmpfs", "services.*.volumes.[].source": None}
# Attributes that the rest of the file already needs, so that they cannot be taken away or changed by themselves.
ESSENTIAL = {
    "services.*.env_file.[].required",  # decides whether a missing file is an error: tested with env files
    "services.*.depends_on.*.required",  # as above, for services that are off
    "services.*.profiles",  # tested with the selection of services
    "services.*.deploy.mode",
    "networks.*.driver",  # there is only one
    "services.*.userns_mode",  # tested with its modes
    "networks.*.enable_ipv4",  # there is no network without
    "version",
}
FREE = {path for path, remark in REMARKS.items() if remark.startswith(("informational", "ignored", "`ingress`"))}


def leaves() -> list[Attribute]:
    paths = [item.path for item in attributes(LACKS)]
    return [
        item
        for item in attributes(LACKS)
        if not any(other.startswith(f"{item.path}.") for other in paths)
        and not item.path.startswith(("include", "services.*.extends"))
    ]


def put(data: Any, path: list[str], value: Any) -> None:
    """Set what is at a pattern; the first key stands for ``*``, the first entry for ``[]``."""
    for index, part in enumerate(path):
        if part == "*":
            part = "b" if path[index - 1] == "depends_on" else next(iter(data), "k")
        last = index == len(path) - 1
        if part == "[]":
            if not data:
                data.append({})
            if last:
                data[0] = value
                return
            data = data[0]
        elif last:
            data[part] = value
            if value is None:
                del data[part]
        else:
            following = path[index + 1]
            if data.get(part) is None:
                data[part] = [] if following == "[]" else {}
            data = data[part]


def load(folder, data) -> tuple[Desired, tuple[WatchRule, ...], tuple[BuildSpec, ...]]:
    """What is wanted, watched and built, without the hashes: those cover every word of a service."""
    for name, text in {
        "c": "",
        "s": "",
        "quoted.env": "Q='1'\n",
        "other.env": "O=2\n",
        "labels.env": "L=1\n",
        "c2": "2",
        "s2": "2",
        ".env": "A=1\nB=2\n",
    }.items():
        folder.write(name, text)
    loaded = folder.load(json.dumps(data))
    desired = loaded.desired
    containers = tuple(
        replace(
            spec,
            config_hash="",
            labels={key: text for key, text in spec.labels.items() if not key.endswith("config-hash")},
            location=None,
            ports=tuple(replace(port, location=None) for port in spec.ports),
        )
        for spec in desired.containers
    )
    plain = {"config_hash": "", "location": None}
    wanted = replace(
        desired,
        containers=containers,
        networks=tuple(replace(spec, **plain) for spec in desired.networks),
        volumes=tuple(replace(spec, **plain) for spec in desired.volumes),
        images=tuple(replace(spec, location=None) for spec in desired.images),
        models=tuple(replace(spec, location=None) for spec in desired.models),
    )
    return wanted, tuple(replace(rule, location=None) for rule in loaded.watch), builds(loaded)


def value_of(item: Attribute) -> Any:
    if item.path in SPECIAL:
        return SPECIAL[item.path]
    if item.kind in VALUES:
        return VALUES[item.kind]
    if item.kind.startswith("`"):
        return item.kind.split("`")[1]
    return {"integer, or `soft` and `hard`": 7}.get(item.kind, {"k": 7} if "mapping" in item.kind else "t")


def test_the_tables_name_attributes_that_exist():
    known = {item.path for item in attributes(LACKS)}
    assert known >= LACKS.keys() | REMARKS.keys()


@pytest.mark.parametrize(
    "item",
    [pytest.param(i, id=i.path) for i in leaves() if i.state is State.APPLIED and i.path not in FREE | ESSENTIAL],
)
def test_what_is_called_applied_changes_what_is_wanted(item, folder):
    around: dict[str, Any] = dict(BESIDE.get(item.path, {}))
    if ".bind." in item.path:
        around = {**BIND, **around}
    if ".volumes.[].image." in item.path:
        around = {**IMAGE, **around}
    if item.path.startswith("models."):
        around = {"services.*.models": {"k": None}}
    if ".tmpfs." in item.path:
        around = {**TMPFS, **around}
    before = json.loads(json.dumps(BASE))
    for path, value in around.items():
        put(before, path.split("."), value)
    after = json.loads(json.dumps(before))
    put(after, item.path.split("."), value_of(item))
    assert load(folder, before) != load(folder, after)


@pytest.mark.parametrize("path", [pytest.param(path, id=path) for path in sorted(UNSUPPORTED)])
def test_what_is_called_parsed_only_is_reported_once(path, folder):
    data = json.loads(json.dumps(BASE))
    inner = next((item for item in leaves() if item.path.startswith(f"{path}.")), None)
    own = next(item for item in attributes(LACKS) if item.path == path)
    for beside, value in BESIDE.get(path, {}).items():
        put(data, beside.split("."), json.loads(json.dumps(value)))
    if path in WHOLE or inner is None:
        put(data, path.split("."), WHOLE[path] if path in WHOLE else value_of(own))
    else:
        put(data, inner.path.split("."), value_of(inner))
    for name in ("c", "s"):
        folder.write(name, "")
    found = [note for note in folder.load(json.dumps(data)).not_applied if UNSUPPORTED[path] in note.message]
    assert found, path
    assert len({note.span for note in found}) == len(found)


@pytest.mark.parametrize("path", sorted(REFUSED))
def test_what_is_called_refused_is_refused_when_its_container_is_made(path, folder):
    data = json.loads(json.dumps(BASE))
    kind = path.partition(".")[0]
    put(data, path.split("."), True if path.endswith("external") else "t")
    if path.endswith("external"):
        del data[kind]["c" if kind == "configs" else "s"]["file"]
    for name in ("c", "s"):
        folder.write(name, "")
    spec = folder.load(json.dumps(data)).desired.replicas("a")[0]
    (refused,) = [mount for mount in spec.mounts if isinstance(mount, FileMount) and mount.refusal]
    assert refused.declared.startswith(kind[:-1])


def test_few_attributes_have_no_effect():
    found = [item.path for item in attributes(LACKS) if item.state is State.PARSED]
    assert len([path for path in found if not path.startswith(OF_OTHERS)]) <= 12
