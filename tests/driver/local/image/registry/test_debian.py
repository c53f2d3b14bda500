"""Images of nginx, PostgreSQL, Redis and Python, made of packages, to a real registry and back."""

from __future__ import annotations

import json
import os
import subprocess

import pytest

from orchestra.driver.local.image.content.check import check_store
from orchestra.driver.local.image.library import Library
from orchestra.driver.local.image.registry import Access
from orchestra.driver.local.snapshot import Snapshotter
from orchestra.model.desired import ImageSpec
from tests.debian import SERVERS, home_in, needs_debian
from tests.driver.local.image.making import in_mount_namespace, mount_snapshot, tree

from .real import log_in, running, running_closed

pytestmark = needs_debian

NAMES = ("nginx", "redis")
"""Two are enough to see that what they share is not sent twice; the example ``webshop`` takes all of them this way."""


@pytest.fixture(params=["plain", "TLS and a password"])
def host(request, tmp_path):
    if request.param == "plain":
        with running(tmp_path / "registry") as host:
            yield host
    else:
        with running_closed(tmp_path / "registry") as host:
            log_in(tmp_path, host)
            yield host


@pytest.fixture
def access(tmp_path):
    return Access({"HOME": str(tmp_path), "PATH": os.environ["PATH"], "XDG_RUNTIME_DIR": str(tmp_path)})


def says(home, store, image, command, place):
    """What the command prints in the merged tree of the image."""

    def work():
        mount_snapshot(Snapshotter(home).view(store.resolve(image.digest).layers), place)
        path = "PATH=$(echo /usr/lib/postgresql/*/bin):$PATH; "
        return subprocess.check_output(
            ["chroot", str(place), "sh", "-c", f"{path}{command}"], text=True, stderr=subprocess.STDOUT
        )

    place.mkdir(exist_ok=True)
    return in_mount_namespace(work)


def test_every_server_comes_back_as_it_went_and_runs(debian_images, host, access, tmp_path):
    here, there = Library(home_in(tmp_path / "here"), access), Library(home_in(tmp_path / "there"), access)
    base = None
    for name in NAMES:
        target = f"{host}/servers/{name}:1"
        image = here.store.pull(ImageSpec(f"oci:{debian_images}:{name}"))
        here.tag(f"oci:{debian_images}:{name}", target)
        pushed = here.push(target)
        # The layer that all share is sent once, and taken over from the first repository by the others.
        assert (pushed.sent, pushed.mounted) == ((3, 0) if base is None else (2, 1))
        pulled = there.store.pull(ImageSpec(target))
        assert pulled.digest == image.digest
        layers = there.store.resolve(pulled.digest).layers
        assert base in (None, layers[-1])
        base = layers[-1]
        assert tree(layers[0]) == tree(here.store.resolve(image.digest).layers[0])
        assert "." in says(home_in(tmp_path / "there"), there.store, pulled, SERVERS[name], tmp_path / "root")
    report = check_store(home_in(tmp_path / "there"))
    assert report.is_sound
    assert not report.not_unpacked
    assert report.blobs == 3 * len(NAMES) + 1
    assert len(json.loads((debian_images / "index.json").read_text())["manifests"]) == len(SERVERS)
