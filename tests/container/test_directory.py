"""Files of a container directory that hold no JSON object: the error names the file and says what is wrong with it."""

from __future__ import annotations

import pytest

from orchestra.container.directory import ContainerDirectory, DamagedFile

SOUND = b'{"a": "b"}'


@pytest.mark.parametrize("length", range(len(SOUND)))
def test_a_file_that_is_cut_short_anywhere_is_damaged(tmp_path, length):
    (tmp_path / "state.json").write_bytes(SOUND[:length])
    with pytest.raises(DamagedFile, match=rf"{tmp_path}/state.json is damaged: "):
        ContainerDirectory(str(tmp_path)).load("state.json")


@pytest.mark.parametrize("text", [b"\0\xff{", b"[]", b'"a"', b"7", b"null", b"[" * 100_000, SOUND + b"}"])
def test_what_is_no_json_object_is_damaged(tmp_path, text):
    (tmp_path / "state.json").write_bytes(text)
    with pytest.raises(DamagedFile, match=rf"{tmp_path}/state.json is damaged: "):
        ContainerDirectory(str(tmp_path)).load("state.json")
    assert ContainerDirectory(str(tmp_path)).load_sound("state.json") == {}


@pytest.mark.parametrize("key", ["process", "mounts", "linux"])
def test_a_configuration_without_what_every_container_has_is_damaged(tmp_path, key):
    config = {"process": {}, "mounts": [], "linux": {}}
    directory = ContainerDirectory(str(tmp_path))
    directory.store("config.json", config)
    assert directory.load_config() == config
    directory.store("config.json", config | {key: 7})
    with pytest.raises(DamagedFile, match=f"it holds no {key}"):
        directory.load_config()


def test_a_file_longer_than_one_read_is_read_whole(tmp_path):
    (tmp_path / "state.json").write_bytes(b'{"a": "' + b"x" * 1_000_000 + b'"}')
    assert len(ContainerDirectory(str(tmp_path)).load("state.json")["a"]) == 1_000_000
