"""Specifications and bundles with as little said as possible, for tests to say the rest."""

from __future__ import annotations

from orchestra.driver.local.bundle.config import render_bundle
from orchestra.driver.local.bundle.world import HostFacts
from orchestra.driver.local.image.documents.config import ImageConfig
from orchestra.driver.local.net.attachment import Attachment
from orchestra.driver.local.user import User
from orchestra.model.container import ContainerSpec

HOST = HostFacts()
IMAGE = ImageConfig(command=("serve",))
ROOT = User()


def spec(**more):
    return ContainerSpec(**{"name": "s-web-1", "service": "web", "index": 1, "image": "i", "config_hash": "h", **more})


def attachment(**more):
    fields = {
        "stack": "s",
        "service": "web",
        "container": "s-web-1",
        "container_id": "c0ffee",
        "hostname": "s-web-1",
        "namespace_path": "/run/netns/c0ffee",
    }
    return Attachment(**{**fields, **more})


def render(image=IMAGE, *, mounts=(), user=ROOT, attached=None, host=HOST, **more):
    return render_bundle(
        spec(**more),
        image,
        user=user,
        attachment=attached or attachment(),
        mounts=mounts,
        cgroups_path="/orchestra/s/c0ffee",
        host=host,
    )
