"""An ``up`` that may do only what was looked at before."""

from __future__ import annotations

import json
import time

import pytest

from orchestra.control.desired_file import load_desired
from orchestra.errors import OrchestraError
from orchestra.model.codec import encode
from orchestra.model.observed import Running
from orchestra.model.request import Changes, StopRequest, UpRequest
from tests.plan.stacks import service, stack

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(60)]

ACTIONS = (
    "pull image/app  not ready on this machine",
    "create network/s_default  does not exist",
    "create container/s-db-1  does not exist",
    "create container/s-web-1  does not exist",
    "start container/s-db-1  created",
    "start container/s-web-1  created; db has started",
)


def desired():
    return stack(service("db"), service("web", "db"))


async def apply(s, reviewed, asked_at=None):
    request = UpRequest(Changes(), asked_at=asked_at or time.time(), reviewed=reviewed)
    return await s.ask(request, desired=json.dumps(encode(desired())).encode())


async def test_exactly_what_was_reviewed_is_done(supervised):
    s = supervised()
    async with s.running():
        result = await apply(s, ACTIONS)
    assert [row.state for row in result.containers] == ["running", "running"]


async def test_nothing_at_all_is_done_if_it_would_be_something_else(supervised):
    s = supervised()
    async with s.running():
        with pytest.raises(OrchestraError, match="create container/s-web-1, start container/s-web-1 in addition"):
            await apply(s, [action for action in ACTIONS if "web" not in action])
        assert s.world.observed.containers == {}
        assert load_desired(s.home) is None
        await apply(s, ACTIONS)
        await s.ask(StopRequest(("web",)))
        with pytest.raises(OrchestraError, match=r"not any more and start container/s-web-1 in addition"):
            await apply(s, ["stop container/s-web-1  to be replaced: its definition changed"])
        assert s.states()["s-web-1"] is not Running


async def test_who_asks_again_because_a_supervisor_was_killed_is_not_refused(supervised):
    s = supervised()
    asked_at = time.time()
    async with s.running():
        await apply(s, ACTIONS, asked_at)
    async with s.running():
        result = await apply(s, ACTIONS, asked_at)
    assert [row.state for row in result.containers] == ["running", "running"]
