"""What only containers on this machine have to keep, beyond the contract."""

from __future__ import annotations

import os
from pathlib import Path

import anyio
import pytest

from orchestra.model.names import ContainerName
from orchestra.plan.action import AnonymousVolumes
from tests.contract.conftest import NEEDS_ROOT, LocalKind

pytestmark = [pytest.mark.anyio, *NEEDS_ROOT]


@pytest.fixture
def kind(tmp_path):
    made = LocalKind(tmp_path)
    yield made
    made.close()


def write(paths):
    for path in paths:
        Path(path).touch()


async def test_a_removed_container_takes_only_its_own_logs_with_it(kind, using):
    async with using("sleeper") as used:
        await used.create("sleeper")
        logs = kind.home.stack("contract").logs
        name = ContainerName(used.name("sleeper"))
        write(f"{logs}/{file}" for file in (f"{name}.log", f"{name}.log.1", f"{name}.log.log", f"{name}-old.log"))
        await used.driver.remove(name, volumes=AnonymousVolumes.DELETE)
        assert sorted(os.listdir(logs)) == [f"{name}-old.log", f"{name}.log.log"]


async def test_names_are_served_however_the_creation_ended(using):
    async with using("sleeper") as used:
        with anyio.move_on_after(0.001) as limit:  # making it goes on, and is over before anybody is told so
            await used.create("sleeper")
        assert limit.cancelled_caught
        await used.start("sleeper")
        probed = await used.driver.probe(used.name("sleeper"), ("getent", "hosts", "sleeper"), timeout=20)
        assert probed.exit_code == 0, probed
