"""The page of Compose attributes: the state of each, from the models and from what the local driver lacks."""

from __future__ import annotations

import types
import typing
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from orchestra.compose.schema.model import Model, Written
from orchestra.compose.schema.stack import Stack
from orchestra.driver.local.unsupported import FOREIGN, LACKS, REFUSED
from tools.reference import marks

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


class State(StrEnum):
    """PARSED: checked, merged, printed by ``config``, and reported by ``up`` as not applied.

    FOREIGN: the same, for what means nothing on one Linux machine. REFUSED: ``up`` fails.
    """

    APPLIED = "applied"
    PARSED = "parsed only"
    FOREIGN = "not for Linux or one machine"
    REFUSED = "refused"


class Attribute(NamedTuple):
    """path: ``services.*.ports.[].target``; kind: what it may be, in words; remark: why or how far."""

    path: str
    kind: str
    state: State
    remark: str


_INFORMATION = "informational; has no effect"
_CONTENTS = "a file mounted read-only; with `uid`, `gid` or `mode`, a copy made when the container is created"
_OWN_FILE = "a read-only file of the container"
_ONE = "only with cgroup version 1; with version 2, a warning"
_REAL_TIME = "only with cgroup version 1 and real-time group scheduling; otherwise a warning"
_OWNER = "default: root"

# What is to be said of attributes that are applied.
REMARKS: dict[str, str] = {
    "version": "ignored",
    **{f"services.*.{kind}.[].{key}": _OWNER for kind in ("configs", "secrets") for key in ("gid", "uid")},
    **{f"services.*.{kind}.[].mode": "default: 0444" for kind in ("configs", "secrets")},
    "services.*.deploy.labels": _INFORMATION,
    "services.*.deploy.update_config": "without it, all replicas are replaced at once",
    "services.*.deploy.rollback_config": "how the former definition comes back; `failure_action: rollback` is `pause`",
    "services.*.deploy.update_config.failure_action": "default: `pause`",
    "services.*.deploy.update_config.max_failure_ratio": "default: 0",
    "services.*.deploy.update_config.monitor": "default: 5 s",
    "services.*.deploy.update_config.order": "default: `stop-first`",
    "services.*.deploy.update_config.parallelism": "default: 1; 0 is all",
    "services.*.deploy.mode": "`global` means one container",
    "services.*.blkio_config.weight": "needs an I/O scheduler with weights; otherwise a warning",
    **dict.fromkeys(("services.*.cpu_rt_period", "services.*.cpu_rt_runtime"), _REAL_TIME),
    "services.*.device_cgroup_rules": "applied after those of `devices`",
    **dict.fromkeys(("services.*.mem_swappiness", "services.*.oom_kill_disable"), _ONE),
    "services.*.develop.watch.[].path": "`watch` and `up --watch` act on changed files",
    "services.*.expose": "shown by `ps`; services reach each other's ports anyway",
    "services.*.healthcheck": "each setting overrides the image's `HEALTHCHECK`, as in Docker",
    "services.*.hostname": "also a name on the container's networks, followed by `domainname` if there is one",
    "services.*.platform": "default: `DOCKER_DEFAULT_PLATFORM`, otherwise this machine's",
    "services.*.build": "by Orchestra itself: see [Build images](../how-to/build-images.md)",
    "services.*.build.context": "a directory, a tar archive, or the address of a Git repository",
    "services.*.build.cache_from": "`type=registry`, `local` or `inline`; others are left out",
    "services.*.build.cache_to": "`type=registry`, `local` or `inline`; others are left out",
    "services.*.build.additional_contexts": "directories, Git, `docker-image://`, `oci-layout://`, `service:`",
    "services.*.build.network": "`default`, `none` or `host`",
    "services.*.build.provenance": "`true`, `false`, or `mode=min` with `version`, `builder-id` and `reproducible`",
    "services.*.build.sbom": "of the packages that dpkg, apk and rpm know; a `generator` is not run",
    "services.*.build.platforms": "several become one image; commands for other processors need an emulator",
    "services.*.build.entitlements": "`network.host`, `security.insecure` and `device`",
    "services.*.pull_policy": "with `build`, nothing is pulled unless it says so: a missing image is built",
    "services.*.pull_refresh_after": "with `pull_policy: refresh`",
    "services.*.runtime": "a program in `PATH` (`crun`, `runc`) or its path; default: Orchestra's own",
    "models": "run by the plugin `docker-model`, see [below](#models)",
    "models.*.name": _INFORMATION,
    "services.*.models.*.endpoint_var": "default: `KEY_URL`, with the model's key in capitals",
    "services.*.models.*.model_var": "default: `KEY_MODEL`",
    "services.*.links": "every service on a network that both share can see the aliases",
    "services.*.gpus": "of CDI files in `/etc/cdi` and `/var/run/cdi`; refused if none describes them",
    "services.*.devices": "paths, or names of CDI devices such as `nvidia.com/gpu=0`",
    "services.*.provider": "run by `up` before anything else, and by `down` after everything else",
    "services.*.use_api_socket": "[a socket that is served while it is used](engine-api.md#in-a-container-of-a-stack)",
    "services.*.userns_mode": "`host`, `keep-id[:uid=N,gid=N]` and `auto[:size=N]`, as in podman; others are refused",
    "services.*.logging.driver": "see [log drivers](log-drivers.md); `fluentd` and the like are reported",
    "services.*.logging.options": "see [log drivers](log-drivers.md); options without an effect are reported",
    "services.*.memswap_limit": "memory and swap together, as in Docker",
    "services.*.external_links": "each name leads to the container of another stack, if both are on a network",
    "services.*.networks.*.driver_opts": "`com.docker.network.endpoint.sysctls` and `.ifname`; others are reported",
    "services.*.networks.*.gw_priority": "the highest has the default route, and published ports lead there",
    "services.*.networks.*.link_local_ips": "of 169.254.0.0/16, and of fe80::/64 with IPv6; others are refused",
    "services.*.networks.*.priority": "the highest is joined first; it also decides between equal `gw_priority`",
    "services.*.ports.[].app_protocol": _INFORMATION,
    "services.*.ports.[].mode": "`ingress` and `host` are the same on one machine",
    "services.*.ports.[].name": _INFORMATION,
    "services.*.tmpfs": "Docker's options and the kernel's, such as `size=10%`, `uid` and `exec`; others are refused",
    "services.*.volumes.[].consistency": "informational: mounts on Linux are always consistent",
    "services.*.volumes.[].type": "`bind`, `volume` or `tmpfs`; others are reported and not mounted",
    "services.*.volumes_from": "services and `container:NAME`, with their anonymous volumes",
    "services.*.volumes.[].bind.recursive": "a read-only bind mount is so with all its submounts, as with `readonly`",
    "services.*.volumes.[].volume.labels": "of an anonymous volume",
    "services.*.cgroup": "`private` (the default) or `host`; others are refused",
    "networks.*.attachable": _INFORMATION,
    "networks.*.driver": "`bridge`, `macvlan` and `ipvlan`; others are reported, and the network becomes a bridge",
    "networks.*.driver_opts": "see [options of a network](../explanation/networking.md#options-of-a-network)",
    "networks.*.enable_ipv4": "`false` needs `enable_ipv6: true`",
    "networks.*.enable_ipv6": "without a subnet, the network gets one of the home's own (RFC 4193)",
    "services.*.networks.*.ipv6_address": "on networks with `enable_ipv6: true`; on others it is reported",
    "services.*.ports.[].host_ip": "of a family that one of the service's networks has; not `::1`",
    "networks.*.ipam.config.[].aux_addresses": "not assigned to containers",
    "networks.*.ipam.config.[].ip_range": "range of dynamic addresses; the gateway is still the subnet's first host",
    "networks.*.ipam.config.[].subnet": "the first of each family; others are reported",
    "networks.*.ipam.driver": _INFORMATION,
    "networks.*.scope": _INFORMATION,
    "configs.*.content": _OWN_FILE,
    "configs.*.environment": f"{_OWN_FILE}; the variable must be set",
    "configs.*.file": _CONTENTS,
    "configs.*.labels": _INFORMATION,
    "configs.*.name": _INFORMATION,
    "secrets.*.content": _OWN_FILE,
    "secrets.*.environment": f"{_OWN_FILE}; the variable must be set",
    "secrets.*.file": _CONTENTS,
    "secrets.*.labels": _INFORMATION,
    "secrets.*.name": _INFORMATION,
}

_PLACES = "files, `oci://` for a registry, and addresses of Git repositories"
# Consumed while files are put together: gone before there is a model.
_OF_THE_FILES = (
    Attribute("include", "list of files", State.APPLIED, _PLACES),
    Attribute("include.[].path", "string or list", State.APPLIED, "several files are merged in order"),
    Attribute("include.[].project_directory", "string", State.APPLIED, ""),
    Attribute("include.[].env_file", "string or list", State.APPLIED, ""),
    Attribute("services.*.extends", "string or mapping", State.APPLIED, ""),
    Attribute("services.*.extends.file", "string", State.APPLIED, _PLACES),
    Attribute("services.*.extends.service", "string", State.APPLIED, ""),
)

_KINDS = {
    "_text": "string",
    "_text_or_empty": "string",
    "_text_or_none": "string or null",
    "_integer": "integer",
    "_number": "number",
    "_boolean": "boolean",
    "_bytes": "size",
    "_duration": "duration",
    "_microseconds": "microseconds or duration",
    "_file_mode": "file mode",
    "_tmpfs_size": "size or percentage",
    "_count": "integer or `all`",
    "_text_or_boolean": "boolean or string",
    "_ulimit": "integer, or `soft` and `hard`",
}


def attributes(unsupported: Mapping[str, str]) -> tuple[Attribute, ...]:
    """Every attribute that the loader understands, in alphabetical order.

    unsupported: those without effect, by the shape of their path, and why.
    """
    return tuple(sorted((*_OF_THE_FILES, *_walk(Stack, "", unsupported))))


def _walk(model: type[Model], prefix: str, unsupported: Mapping[str, str]) -> Iterator[Attribute]:
    for name, hint in model.hints().items():
        path = f"{prefix}{name}"
        kind, inner, suffix = _describe(hint)
        reason = unsupported.get(path, "")
        above = next((known for known in unsupported if f"{path}.".startswith(f"{known}.")), "")
        yield Attribute(path, kind, _state(above), reason or REMARKS.get(path, ""))
        if inner is not None:
            yield from _walk(inner, f"{path}{suffix}.", unsupported)


def _state(lacking: str) -> State:
    """lacking: the path in ``LACKS`` that an attribute is at or below; empty if there is none."""
    if not lacking:
        return State.APPLIED
    if lacking in REFUSED:
        return State.REFUSED
    return State.FOREIGN if lacking in FOREIGN else State.PARSED


def _describe(hint: Any) -> tuple[str, type[Model] | None, str]:
    """A type in words, the model inside of it, and what leads there: ``''``, ``.*`` or ``.[]``."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is typing.Annotated:
        function = next((item.read for item in hint.__metadata__ if isinstance(item, Written)), None)
        known = _KINDS.get(getattr(function, "__name__", ""))
        return (known, None, "") if known else _describe(arguments[0])
    if origin in (typing.Union, types.UnionType):
        (first, *_) = [argument for argument in arguments if argument is not types.NoneType]
        return _describe(first)
    if origin is Literal:
        return ", ".join(f"`{argument}`" for argument in arguments), None, ""
    if origin is tuple:
        kind, inner, _ = _describe(arguments[0])
        return f"list of {_PLURALS.get(kind, kind)}", inner, ".[]"
    if origin is dict:
        kind, inner, suffix = _describe(arguments[1])
        return f"mapping of {_PLURALS.get(kind, kind)}", inner, f".*{suffix}"
    if isinstance(hint, type) and issubclass(hint, Model):
        return "mapping", hint, ""
    return "string", None, ""


_PLURALS = {
    "string": "strings",
    "string or null": "strings or nulls",
    "mapping": "mappings",
    "list of strings": "lists of strings",
    "integer, or `soft` and `hard`": "integers, or of `soft` and `hard`",
}


# The tables of the page: the name of each, and the beginning of the paths in it. The longest beginning counts.
_TABLES = {
    "top level": "",
    "services": "services.*.",
    "build": "services.*.build.",
    "deploy": "services.*.deploy.",
    "develop": "services.*.develop.",
    "networks": "networks.*.",
    "volumes": "volumes.*.",
    "configs": "configs.*.",
    "secrets": "secrets.*.",
    "models": "models.*.",
}


def renew(page: str) -> str:
    """The page with its tables made anew."""
    rows: dict[str, list[tuple[str, ...]]] = {name: [] for name in _TABLES}
    for path, kind, state, remark in attributes(LACKS):
        name = max(
            (name for name, start in _TABLES.items() if path.startswith(start)), key=lambda name: len(_TABLES[name])
        )
        short = path.removeprefix(_TABLES[name]).replace(".[]", "[]").replace(".*", "")
        rows[name].append((f"`{short}`", kind, state, remark))
    for name in _TABLES:
        page = marks.replace(page, name, marks.table(("attribute", "value", "state", "remark"), rows[name]))
    return page
