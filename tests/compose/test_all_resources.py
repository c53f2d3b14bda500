"""``--all-resources``: what no service uses is made too."""

from __future__ import annotations

TEXT = """
services:
  web: {image: "rootfs:/", networks: [front]}
networks: {front: {}, back: {}}
volumes: {data: {}}
"""


def test_unused_networks_and_volumes_are_made_when_they_are_asked_for(folder):
    few, all_of_them = (folder.load(TEXT, all_resources=asked).desired for asked in (False, True))
    assert [network.key for network in few.networks] == ["front"]
    assert few.volumes == ()
    assert [(network.key, network.containers) for network in all_of_them.networks] == [("back", 0), ("front", 1)]
    assert [volume.key for volume in all_of_them.volumes] == ["data"]


def test_a_file_without_services_has_networks_then(folder):
    desired = folder.load("services: {}\nnetworks: {alone: {}}", all_resources=True).desired
    assert [network.name for network in desired.networks] == ["shop_alone"]
    assert not desired.is_down
