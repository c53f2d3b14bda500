"""`x-orchestra: {ports: auto}` and the request for the same."""

from __future__ import annotations

import pytest

WEB = "services: {web: {image: x, ports: ['8080:80', '81']}}\n"


@pytest.mark.parametrize(
    ("extension", "asked", "automatic"),
    [("", False, [False, False]), ("", True, [True, False]), ("x-orchestra: {ports: auto}", False, [True, False])],
)
def test_only_fixed_ports_give_way(extension, asked, automatic, folder):
    spec = folder.load(WEB + extension, automatic_ports=asked).desired.replicas("web")[0]
    assert [port.automatic for port in spec.ports] == automatic


def test_it_does_not_change_the_container(folder):
    plain, automatic = (folder.load(WEB, automatic_ports=asked).desired.containers[0] for asked in (False, True))
    assert plain.config_hash == automatic.config_hash


def test_another_value_is_refused(folder):
    shown = folder.refused(f"{WEB}x-orchestra: {{ports: sometimes}}")
    assert "x-orchestra.ports is 'sometimes', which is not a way to choose ports" in shown
    assert "write auto, or leave it out" in shown
