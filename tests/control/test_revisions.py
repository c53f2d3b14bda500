"""A supervisor keeps what its stack was asked to be, so that it can be brought back."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from orchestra.control import revisions
from orchestra.control.revisions import Revisions, load_definition, load_revisions
from orchestra.errors import FatalError
from orchestra.model.request import StopRequest
from orchestra.model.revision import Author
from orchestra.plan.revision import definition
from tests.plan.stacks import service, stack

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(60)]


def version(number):
    return stack(service("web", config_hash=f"web v{number}"))


def write(path, text):
    Path(path).write_text(text)


def kept(home):
    return [(revision.number, *revision.changed) for revision in load_revisions(home)]


async def test_each_change_is_a_revision_whoever_runs_the_stack(supervised):
    s = supervised()
    async with s.running():
        await s.up(version(1))
        await s.up(version(1))
        await s.ask(StopRequest(("web",)))
    async with s.running():
        await s.up(version(1))
        await s.up(version(2))
    assert kept(s.home) == [(1, "s_default added", "s-web-1 added"), (2, "s-web-1 changed")]
    for number in (1, 2):
        asked = definition(version(number))
        assert load_definition(s.home, number).containers == asked.containers


async def test_only_the_last_are_kept(supervised, monkeypatch):
    monkeypatch.setattr(revisions, "KEPT", 3)
    s = supervised()
    async with s.running():
        for number in range(1, 6):
            await s.up(version(number))
    assert [number for number, *_ in kept(s.home)] == [3, 4, 5]
    assert sorted(os.listdir(s.home.revisions)) == ["3.json", "4.json", "5.json", "index.json"]


async def test_damaged_files_end_nothing_and_another_revision_begins_anew(supervised, capfd):
    s = supervised()
    async with s.running():
        await s.up(version(1))
    write(s.home.revision_index, "{")
    with pytest.raises(FatalError, match="cannot be read"):
        load_revisions(s.home)
    async with s.running():
        await s.up(version(2))
    assert "the revisions of stack s cannot be kept" in capfd.readouterr().err
    assert kept(s.home) == [(1, "s_default added", "s-web-1 added")]
    os.unlink(s.home.revision(1))
    with pytest.raises(FatalError, match=r"revisions/1\.json cannot be read"):
        load_definition(s.home, 1)


async def test_a_disk_without_room_costs_the_history_but_not_the_command(supervised, capfd):
    s = supervised()
    write(s.home.revisions, "no directory")
    async with s.running():
        result = await s.up(version(1))
    assert [row.state for row in result.containers] == ["running"]
    assert "the revisions of stack s cannot be kept" in capfd.readouterr().err


def test_other_images_under_the_same_names_are_another_revision(tmp_path, supervised):
    home = supervised().home
    noted = Revisions(home)
    write(home.desired, "{}")
    noted.note(version(1), Author("alice", "up"), 1.0)
    noted.note_images({"app": "sha256:1"}, Author("alice", "up"), 1.0)
    noted.note_images({"app": "sha256:1", "db": "sha256:5"}, Author("alice", "up"), 2.0)
    assert [dict(each.images) for each in load_revisions(home)] == [{"app": "sha256:1", "db": "sha256:5"}]
    noted.note_images({"app": "sha256:2"}, Author("bob", "up app"), 3.0)
    last = load_revisions(home)[-1]
    assert (last.number, last.author, last.changed) == (2, Author("bob", "up app"), ("image app changed",))
    assert dict(last.images) == {"app": "sha256:2", "db": "sha256:5"}
    assert os.path.exists(home.revision(2))
