from __future__ import annotations

import os
import resource
import subprocess
import sys

import pytest

from orchestra.compose.remembered import entry_path, recall, remember
from orchestra.compose.request import Inputs

PAYLOAD = b'{"stack": "shop"}\nwith a second line'


@pytest.fixture
def shop(folder):
    """A folder with one remembered load that used A and looked for .env."""
    text = "services: {web: {image: 'x:${A:-1}'}}"
    request = folder.request(text)
    remember(loads(folder), request.plain(), folder.load(text).inputs, PAYLOAD)
    return folder


def loads(folder) -> str:
    return str(folder / "loads")


def test_an_unchanged_load_is_recalled(shop):
    assert recall(loads(shop), shop.request().plain()) == PAYLOAD


def test_a_changed_file_is_a_miss(shop):
    shop.write("compose.yaml", "services: {web: {image: y}}")
    assert recall(loads(shop), shop.request().plain()) is None


def test_a_file_that_was_looked_for_and_has_appeared_is_a_miss(shop):
    shop.write(".env", "A=2")
    assert recall(loads(shop), shop.request().plain()) is None


def test_a_used_variable_is_a_miss_and_an_unused_one_is_not(shop):
    environment = {"HOME": "/home/me", "UNUSED": "x"}
    assert recall(loads(shop), shop.request(environment=environment).plain()) == PAYLOAD
    assert recall(loads(shop), shop.request(environment={**environment, "A": "2"}).plain()) is None


def test_another_request_is_a_miss(shop):
    assert recall(loads(shop), shop.request(profiles=("extra",)).plain()) is None
    assert recall(loads(shop), {**shop.request().plain(), "format": "json"}) is None


@pytest.mark.parametrize("damage", [b"", b"{", b"{}\nx", b"null\n", b'{"files": 1}\n', b"\xff\xfe\n"])
def test_a_damaged_entry_is_a_miss(shop, damage):
    request = shop.request().plain()
    with open(entry_path(loads(shop), request), "wb") as file:
        file.write(damage)
    assert recall(loads(shop), request) is None


def test_what_cannot_be_written_leaves_nothing(shop):
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = os.listdir(loads(shop))
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(PAYLOAD), limit[1]))
    try:
        with pytest.raises(OSError, match="too large"):
            remember(loads(shop), shop.request().plain(), shop.load().inputs, PAYLOAD)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
    assert os.listdir(loads(shop)) == before
    assert recall(loads(shop), shop.request().plain()) == PAYLOAD


def test_a_cut_off_payload_is_a_miss(shop):
    request = shop.request().plain()
    path = entry_path(loads(shop), request)
    with open(path, "rb+") as file:
        file.truncate(len(file.read()) - 1)
    assert recall(loads(shop), request) is None


def test_what_cannot_be_read_again_is_not_remembered(folder):
    request = folder.request("services: {}").plain()
    remember(loads(folder), request, Inputs({}, {}, is_repeatable=False), PAYLOAD)
    assert not (folder / "loads").exists()


def test_an_entry_is_for_its_owner_only_and_leaves_no_other_file(shop):
    (entry,) = (shop / "loads").iterdir()
    assert entry.stat().st_mode & 0o777 == 0o600


def test_the_warm_path_imports_nothing_heavy():
    code = (
        "import sys; import orchestra.compose.remembered as r; r.recall('/nonexistent', {'environment': {}});"
        "print(' '.join(m for m in sys.modules if m.partition('.')[0] in"
        " {'pydantic', 'ruamel', 'networkx', 'dataclasses', 'typing', 'anyio'}"
        " or m.startswith('orchestra.')))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["orchestra.compose", "orchestra.digests", "orchestra.compose.remembered"]


def test_a_changed_loader_never_meets_an_old_entry(shop, monkeypatch):
    request = shop.request().plain()
    before = entry_path(loads(shop), request)
    monkeypatch.setattr("orchestra.compose.remembered._own_code", lambda: [("source.py", 1, 2)])
    assert entry_path(loads(shop), request) != before
    assert recall(loads(shop), request) is None
