"""A volume with a name of one letter is that volume where the file declares it, and a drive of Windows elsewhere."""

from __future__ import annotations

import pytest

from orchestra.model.mount import VolumeMount

STACK = "name: s\nservices:\n  web: {{image: 'rootfs:/', volumes: ['{volume}']}}\nvolumes: {{v: , V: }}\n"


@pytest.mark.parametrize(
    ("volume", "source", "target", "read_only"),
    [("v:/data", "s_v", "/data", False), ("V:/data/", "s_V", "/data", False), ("v:/data:ro", "s_v", "/data", True)],
)
def test_one_letter_volume(volume, source, target, read_only, folder):
    loaded = folder.load(STACK.format(volume=volume))
    (mount,) = loaded.desired.containers[0].mounts
    assert mount == VolumeMount(target, source, read_only)
    assert loaded.warnings == ()


def test_one_letter_that_no_volume_has_is_explained(folder):
    (warning,) = folder.load(STACK.format(volume="w:/data")).warnings
    assert warning.message == "one letter before a colon is a Windows drive: w:/data is not volume w"
    assert "declare w under volumes:, or give the volume a longer name" in warning.hint
