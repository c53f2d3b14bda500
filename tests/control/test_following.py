"""What a supervisor remembers of files that are followed, and when it forgets it."""

from __future__ import annotations

import json
import time

import anyio.to_thread
import pytest

from orchestra.control.client import Client
from orchestra.control.following import load_following
from orchestra.errors import OrchestraError
from orchestra.model.codec import encode
from orchestra.model.edit import Edit, Follow
from orchestra.model.project import Chosen, Project
from orchestra.model.request import Changes, DownRequest, EditRequest, UpRequest
from orchestra.model.result import EditResult
from orchestra.model.revision import Author
from orchestra.model.wish import Recreate
from orchestra.record import replace
from tests.plan.stacks import service, stack

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(60)]

STACK = stack(service("db"), service("web", "db"))
FOLLOW = Follow(1.0, "digest", "fake", Project(), "/", {"SECRET": "x"}, Author("root", "up"), Chosen())


@pytest.fixture
def followed(supervised, monkeypatch):
    """A supervisor whose following process is one that only waits for the end of its input."""
    monkeypatch.setattr("orchestra.control.follower.MODULE", "tests.control.waiting")
    return supervised()


async def up(s, desired=STACK, **options):
    request = UpRequest(options.pop("changes", Changes()), asked_at=time.time(), **options)
    return await s.ask(request, desired=json.dumps(encode(desired)).encode())


async def note(s, follow, edit):
    request = EditRequest(follow, edit)
    await anyio.to_thread.run_sync(lambda: Client(s.home).ask(EditResult, request), abandon_on_cancel=True)


async def test_following_lasts_until_another_command_or_down(followed):
    s = followed
    async with s.running():
        await up(s, follow=FOLLOW, changes=Changes(recreate=Recreate.ALWAYS, remove_orphans=True))
        known = load_following(s.home)
        assert known.follow == FOLLOW
        assert known.changes == Changes(remove_orphans=True)
        assert not (await up(s, beside=True)).unfollowed
        assert load_following(s.home).follow == FOLLOW
        result = await up(s)
        assert result.unfollowed
        assert load_following(s.home) is None
        await up(s, follow=FOLLOW)
        await s.ask(DownRequest(None))
        assert load_following(s.home) is None


async def test_an_edit_counts_only_if_it_is_the_latest_of_what_is_followed(followed):
    s = followed
    async with s.running():
        await up(s, follow=FOLLOW)
        late, early = replace(FOLLOW, edits=2, digest="2"), replace(FOLLOW, edits=1)
        await up(s, stack(service("db"), service("new")), follow=late, edit=True)
        assert sorted(s.world.observed.containers) == ["s-db-1", "s-new-1"]
        with pytest.raises(OrchestraError, match="comes too late"):
            await up(s, follow=early, edit=True)
        with pytest.raises(OrchestraError, match="not followed any more"):
            await up(s, follow=replace(late, at=2.0), edit=True)
        await note(s, replace(late, edits=3), Edit(5.0, "wrong"))
    async with s.running():
        await note(s, replace(late, edits=4), Edit(4.0))  # the clock was set back
        assert load_following(s.home).edit == Edit(4.0)
        with pytest.raises(OrchestraError, match="comes too late"):
            await note(s, late, Edit(9.0, "old"))
        await s.ask(DownRequest(None))
