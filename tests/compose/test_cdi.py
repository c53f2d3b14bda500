"""Devices described by files of the Container Device Interface."""

from __future__ import annotations

import json

import pytest

from orchestra.compose import cdi
from orchestra.model.device_edits import DeviceEdits, DeviceNode, EditHook, EditMount

YAML = """
cdiVersion: 0.6.0
kind: nvidia.com/gpu
containerEdits:
  env: [COMMON=1]
  hooks: [{hookName: createContainer, path: /bin/hook, args: [hook, x], env: [A=1], timeout: 5}]
devices:
- name: "0"
  containerEdits: {deviceNodes: [{path: /dev/gpu0, hostPath: /dev/null}]}
- name: "1"
  containerEdits: {deviceNodes: [{path: /dev/gpu1, type: c, major: 1, minor: 3, permissions: rw}]}
- name: all
  containerEdits: {env: [ALL=1]}
"""
OTHER = {
    "kind": "example.org/disk",
    "devices": [
        {
            "name": "fast",
            "containerEdits": {
                "mounts": [{"hostPath": "/usr", "containerPath": "/x", "options": ["ro", "bind"]}],
                "additionalGids": [44],
            },
        }
    ],
}


@pytest.fixture
def files(tmp_path, monkeypatch):
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
    monkeypatch.setattr(cdi, "DIRECTORIES", (str(tmp_path / "first"), str(tmp_path / "second"), str(tmp_path / "none")))
    (tmp_path / "first/nvidia.yaml").write_text(YAML)
    (tmp_path / "second/other.json").write_text(json.dumps(OTHER))
    (tmp_path / "second/broken.json").write_text("{")
    (tmp_path / "second/strange.json").write_text('{"kind": 7, "devices": {}}')
    return tmp_path


def load(folder, text):
    loaded = folder.load(f"services:\n  web:\n    image: x\n    {text}\n")
    assert not loaded.not_applied
    spec = loaded.desired.replicas("web")[0]
    return spec.device_edits, spec.devices_not_found, loaded


HOOK = EditHook("createContainer", "/bin/hook", ("hook", "x"), ("A=1",), 5)
ZERO = DeviceNode("/dev/gpu0", "/dev/null")
ONE = DeviceNode("/dev/gpu1", kind="c", major=1, minor=3, permissions="rw")


def test_devices_by_name_with_what_their_file_has_for_all(files, folder):
    edits, missing, _ = load(folder, 'devices: ["nvidia.com/gpu=0", "nvidia.com/gpu=1", "example.org/disk=fast"]')
    assert missing == ()
    assert edits == DeviceEdits(
        ("COMMON=1",), (ZERO, ONE), (EditMount("/usr", "/x", "bind", ("ro", "bind")),), (HOOK,), (44,)
    )


@pytest.mark.parametrize(
    ("text", "environment", "nodes"),
    [
        ("gpus: all", ("COMMON=1", "ALL=1"), ()),
        ("gpus: [{count: 1}]", ("COMMON=1",), (ZERO,)),
        ("gpus: [{driver: nvidia, count: 2}]", ("COMMON=1",), (ZERO, ONE)),
        ("gpus: [{device_ids: ['1']}]", ("COMMON=1",), (ONE,)),
        ("gpus: [{driver: cdi, device_ids: ['nvidia.com/gpu=1']}]", ("COMMON=1",), (ONE,)),
        (
            "deploy: {resources: {reservations: {devices: [{capabilities: [gpu], device_ids: ['0']}]}}}",
            ("COMMON=1",),
            (ZERO,),
        ),
    ],
)
def test_requests_for_devices(text, environment, nodes, files, folder):
    edits, missing, _ = load(folder, text)
    assert missing == ()
    assert (edits.environment, edits.nodes) == (environment, nodes)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("devices: ['nvidia.com/gpu=7']", "unresolvable CDI devices nvidia.com/gpu=7"),
        ("gpus: [{driver: amd}]", 'could not select device driver "amd" with capabilities: [[gpu]]'),
        ("gpus: [{count: 3}]", 'could not select device driver "" with capabilities: [[gpu]], 3 of them'),
        ("gpus: [{device_ids: ['9']}]", 'could not select device driver "" with capabilities: [[gpu]], ids 9'),
        ("gpus: [{driver: cdi, device_ids: [x.org/y=z]}]", "unresolvable CDI devices x.org/y=z"),
    ],
)
def test_what_no_file_describes(text, told, files, folder):
    edits, missing, loaded = load(folder, text)
    assert (edits, missing) == (DeviceEdits(), (told,))
    assert not loaded.inputs.is_repeatable


def test_a_later_directory_wins(files, folder):
    (files / "second/nvidia.json").write_text(
        json.dumps({"kind": "nvidia.com/gpu", "devices": [{"name": "0", "containerEdits": {"env": ["NEW=1"]}}]})
    )
    assert load(folder, 'devices: ["nvidia.com/gpu=0"]')[0] == DeviceEdits(("NEW=1",))


def test_a_changed_cdi_file_is_another_container(folder, files):
    text = "devices: [nvidia.com/gpu=0]"
    before = load(folder, text)[2].desired.replicas("web")[0].config_hash
    assert load(folder, text)[2].desired.replicas("web")[0].config_hash == before
    (files / "first/nvidia.yaml").write_text(YAML.replace("COMMON=1", "COMMON=2"))
    assert load(folder, text)[2].desired.replicas("web")[0].config_hash != before
