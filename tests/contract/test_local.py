"""What only containers on this machine have to keep, beyond the contract."""

from __future__ import annotations

import os
from pathlib import Path

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


async def test_a_removed_container_takes_its_own_logs_with_it_and_nobody_elses(kind, using):
    async with using("sleeper") as used:
        await used.create("sleeper")
        logs = kind.home.stack("contract").logs
        name = ContainerName(used.name("sleeper"))
        write(f"{logs}/{file}" for file in (f"{name}.log", f"{name}.log.1", f"{name}.log.log", f"{name}-old.log"))
        await used.driver.remove(name, volumes=AnonymousVolumes.DELETE)
        assert sorted(os.listdir(logs)) == [f"{name}-old.log", f"{name}.log.log"]
