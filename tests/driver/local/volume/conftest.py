"""A home of one's own, and container specifications that have mounts."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestra.driver.local.volume import create_volume
from orchestra.home import find_home
from orchestra.model.container import ContainerSpec
from orchestra.model.desired import VolumeSpec


@pytest.fixture
def home(tmp_path):
    return find_home({"ORCHESTRA_HOME": str(tmp_path / "home")}, 0)


@pytest.fixture
def volumes(home):
    """Where the home's volumes are."""
    return Path(home.volumes)


@pytest.fixture
def create(home):
    """Make a volume, and say where its data is."""

    def make(name="s_data", stack="s", **more):
        create_volume(home, stack, VolumeSpec(key=name, name=name, **more))
        return Path(home.volumes) / name / "_data"

    return make


def spec(*mounts):
    return ContainerSpec(name="s-web-1", service="web", index=1, image="i", config_hash="h", mounts=mounts)
