"""`--no-deps`: the named services alone, with what the file says about their place among the others."""

from __future__ import annotations

from orchestra.model.container import VolumeSource
from orchestra.model.sharing import OfService

CHAIN = """
services:
  store: {image: "rootfs:/", env_file: gone.env, volumes: [data:/data, /own]}
  api: {image: "rootfs:/", depends_on: [store]}
  web: {image: "rootfs:/", depends_on: {api: {condition: service_healthy}, tool: {condition: service_started}}}
  tool: {image: "rootfs:/", profiles: [debug]}
  backup: {image: "rootfs:/", volumes_from: [store]}
volumes: {data: {}}
"""


def test_dependencies_are_known_but_neither_read_nor_wanted(folder):
    desired = folder.load(CHAIN, services=("web",), no_deps=True).desired
    (web,) = desired.containers
    assert (web.service, web.rank) == ("web", 2)
    assert [dependency.service for dependency in web.depends_on] == ["api", "tool"]
    assert [image.reference for image in desired.images] == ["rootfs:/"]


def test_a_service_that_lends_its_mounts_is_read_and_not_wanted(folder):
    text = CHAIN.replace(" env_file: gone.env,", "")
    desired = folder.load(text, services=("backup",), no_deps=True).desired
    (backup,) = desired.containers
    assert [(mount.name, mount.target) for mount in backup.mounts] == [("shop_data", "/data")]
    assert backup.volumes_from == (VolumeSource(OfService("store")),)
    assert [volume.name for volume in desired.volumes] == ["shop_data"]


def test_both_named_are_both_wanted(folder):
    text = CHAIN.replace(" env_file: gone.env,", "")
    desired = folder.load(text, services=("backup", "store"), no_deps=True).desired
    assert [spec.service for spec in desired.containers] == ["store", "backup"]


def test_what_is_not_declared_and_what_goes_in_circles_is_refused_all_the_same(folder):
    ask = {"services": ("web",), "no_deps": True}
    assert "undefined service api" in folder.refused(CHAIN.replace("  api: ", "  apj: "), **ask)
    circle = CHAIN.replace("env_file: gone.env,", "depends_on: [api],")
    assert "services depend on each other: store -> api -> store" in folder.refused(circle, **ask)


def test_what_no_active_profile_enables_is_told_from_what_is_scaled_to_nothing(folder):
    text = CHAIN.replace(" env_file: gone.env,", "").replace("api: {condition: service_healthy}, tool: ", "api: ")
    assert folder.load(text).desired.disabled == ("tool",)
    assert folder.load(text, profiles=("debug",), scale={"tool": 0}).desired.disabled == ()


def test_a_number_of_containers_for_a_service_that_is_not_named_is_warned_of(folder):
    text = CHAIN.replace(" env_file: gone.env,", "")
    (warning,) = folder.load(text, services=("api",), scale={"web": 2, "store": 2}).warnings
    assert warning.message == "--scale web has no effect: this command does not concern web"
