"""The whole of config.json."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from orchestra.container.init import REAPER_ANNOTATION
from orchestra.driver.local.bundle.device_edits import apply_device_edits
from orchestra.driver.local.bundle.mounts import ETC_FILES, map_owners, render_mounts
from orchestra.driver.local.bundle.namespace import render_hostname, render_namespaces, render_sysctls
from orchestra.driver.local.bundle.process import HOME_ANNOTATION, render_own_process, sets_home
from orchestra.driver.local.bundle.resources import render_devices, render_resources
from orchestra.driver.local.bundle.seccomp import render_profile
from orchestra.driver.local.bundle.security import parse_security

if TYPE_CHECKING:
    from collections.abc import Iterable

    from orchestra.driver.local.bundle.world import HostFacts
    from orchestra.driver.local.image.documents.config import ImageConfig
    from orchestra.driver.local.net.attachment import Attachment
    from orchestra.driver.local.own_users import OwnUsers
    from orchestra.driver.local.user import User
    from orchestra.driver.local.volume import ResolvedMount
    from orchestra.model.container import ContainerSpec

OCI_VERSION = "1.2.0"


def render_bundle(
    spec: ContainerSpec,
    image: ImageConfig,
    *,
    user: User,
    attachment: Attachment,
    mounts: Iterable[ResolvedMount],
    cgroups_path: str,
    host: HostFacts,
    users: OwnUsers | None = None,
) -> dict[str, Any]:
    """config.json of one container, for a bundle with its root at ``rootfs``. Raises FatalError.

    user: ``spec.user`` or the image's, resolved. users: those of a user namespace of its own. Namespaces of other
    containers are joined when it is started.
    """
    security = parse_security(spec)
    hostname = render_hostname(spec, attachment)
    config: dict[str, Any] = {
        "ociVersion": OCI_VERSION,
        "process": render_own_process(spec, image, user, hostname or attachment.hostname, security, host),
        "root": {"path": "rootfs", "readonly": spec.read_only},
        "mounts": render_mounts(spec, mounts, security, host),
        "annotations": _annotations(spec, image),
        "linux": {
            "namespaces": render_namespaces(spec, attachment),
            "sysctl": render_sysctls(spec, attachment, host),
            "cgroupsPath": cgroups_path,
            "resources": render_resources(spec, host),
            "devices": render_devices(spec, host),
            "maskedPaths": list(security.masked),
            "readonlyPaths": list(security.read_only),
        },
    }
    if users is not None:
        config["linux"] |= {"uidMappings": list(users.users), "gidMappings": list(users.groups)}
        if users.are_shifted and users.shown:
            map_owners(config["mounts"])
    apply_device_edits(config, spec, host)
    profile = render_profile(spec, security, config["process"]["capabilities"]["bounding"], host)
    if profile is not None:
        config["linux"]["seccomp"] = profile
    if hostname:
        config["hostname"] = hostname
    return config


def render_etc_files(attachment: Attachment) -> dict[str, str]:
    """The texts of the files in the container's directory that are bound into /etc, by name."""
    texts = {
        "/etc/hosts": attachment.hosts,
        "/etc/hostname": f"{attachment.hostname}\n",
        "/etc/resolv.conf": attachment.resolv_conf,
    }
    return {name: texts[path] for path, name in ETC_FILES.items()}


def _annotations(spec: ContainerSpec, image: ImageConfig) -> dict[str, str]:
    """Labels of image and service, then annotations.

    Ours tell a runtime what to do, so no other value replaces them.
    """
    found = {**image.labels, **spec.labels, **spec.annotations}
    for name, holds in ((REAPER_ANNOTATION, spec.init), (HOME_ANNOTATION, not sets_home(spec, image))):
        found.pop(name, None)
        if holds:
            found[name] = "true"
    return found
