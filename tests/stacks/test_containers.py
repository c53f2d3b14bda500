"""Which container of a service a command means."""

from __future__ import annotations

import pytest

from orchestra.errors import UserError
from orchestra.stacks.containers import ContainerRow, choose_running


def row(name, service, index, *, one_off=False):
    return ContainerRow(name, service, name, "x", "", 0.0, state="running", index=index, one_off=one_off)


REPLICAS = [row("s-web-2", "web", 2), row("s-web-3", "web", 3)]
COMMAND = row("s-web-run", "web", 0, one_off=True)


def test_the_replica_of_the_lowest_index_goes_before_a_one_off_command():
    assert choose_running([COMMAND, *REPLICAS], "web", None).name == "s-web-2"
    assert choose_running([COMMAND, *REPLICAS], "web", 3).name == "s-web-3"


def test_a_one_off_command_is_taken_where_there_is_no_replica_but_by_no_index():
    assert choose_running([COMMAND], "web", None).name == "s-web-run"
    with pytest.raises(UserError, match='service "web" is not running container #1'):
        choose_running([COMMAND, row("s-db-1", "db", 1)], "web", 1)
