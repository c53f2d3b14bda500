"""`x-orchestra: {restart: unhealthy}` of a service."""

from __future__ import annotations

WEB = "services: {web: {image: x%s}}\n"


def test_it_is_read_and_does_not_change_the_container(folder):
    plain, healing = (
        folder.load(WEB % more).desired.containers[0] for more in ("", ", x-orchestra: {restart: unhealthy}")
    )
    assert (plain.restart.unhealthy, healing.restart.unhealthy) == (False, True)
    assert plain.config_hash == healing.config_hash


def test_another_value_is_refused(folder):
    shown = folder.refused(WEB % ", x-orchestra: {restart: sometimes}")
    assert "x-orchestra.restart is 'sometimes', which is not a reason to restart" in shown
