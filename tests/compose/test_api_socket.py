"""`use_api_socket` of a service, and what `x-orchestra.api` says about it."""

from __future__ import annotations

import pytest

from orchestra.model.mount import ApiAccess, ApiMount

WEB = "services: {web: {image: x%s}}\n"
SOCKET = ", use_api_socket: true"


def test_a_service_without_the_socket_has_none(folder):
    (spec,) = folder.load(WEB % ", use_api_socket: false").desired.containers
    assert (spec.mounts, spec.environment) == ((), {})


@pytest.mark.parametrize("access", ApiAccess)
def test_the_access_is_part_of_the_definition(access, folder):
    (whole,) = folder.load(WEB % SOCKET).desired.containers
    (spec,) = folder.load(WEB % f"{SOCKET}, x-orchestra: {{api: {access}}}").desired.containers
    assert spec.mounts == (ApiMount("/var/run/docker.sock", access),)
    assert (spec.config_hash == whole.config_hash) is (access is ApiAccess.ALL)
    assert ("DOCKER_CONFIG" in spec.environment) is (access is ApiAccess.ALL)


def test_a_mount_and_a_variable_of_the_file_come_first(folder):
    more = ", volumes: [/mine:/var/run/docker.sock], environment: {DOCKER_CONFIG: /mine}"
    (spec,) = folder.load(WEB % (SOCKET + more)).desired.containers
    assert [mount.source for mount in spec.mounts] == ["/mine"]
    assert spec.environment["DOCKER_CONFIG"] == "/mine"


def test_what_lends_its_volumes_keeps_its_socket(folder):
    lent = ", use_api_socket: true}, other: {image: x, volumes_from: [web]"
    web, other = sorted(folder.load(WEB % lent).desired.containers, key=lambda spec: spec.name, reverse=True)
    assert web.mounts
    assert other.mounts == ()


@pytest.mark.parametrize(
    ("written", "told"),
    [
        (f"{SOCKET}, x-orchestra: {{api: some}}", "x-orchestra.api is 'some', which is no access"),
        (", x-orchestra: {api: stack}", "x-orchestra.api has no effect without use_api_socket"),
    ],
)
def test_what_makes_no_sense_is_refused(written, told, folder):
    assert told in folder.refused(WEB % written)
