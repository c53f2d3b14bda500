"""The tool that compares networks with those of Docker Compose: its stack, and what it makes of what it sees."""

from __future__ import annotations

from orchestra.compose.loading import load
from orchestra.compose.request import LoadRequest
from tools.networks_beside import SERVICES, STACK, Row, differences, facts

SEEN = "routes\tdefault via 10.1.1.1\nroutes\t10.1.1.0/24  dev eth0\nsetting ipv4/neigh/eth0/x\t1\nname\t\n"


def test_its_stack_loads(tmp_path):
    (tmp_path / "compose.yaml").write_text(STACK.read_text())
    loaded = load(LoadRequest({}, str(tmp_path)))
    assert sorted(spec.service for spec in loaded.desired.containers) == sorted(SERVICES)
    assert loaded.not_applied == ()


def test_facts_are_lines_by_key_without_those_that_vary():
    assert facts("web", SEEN) == {"web: routes": "default via 10.1.1.1; 10.1.1.0/24 dev eth0", "web: name": ""}


def test_only_what_differs_is_a_row():
    rows = differences({"a": "1", "b": "2", "c": "3"}, {"a": "1", "b": "4", "d": "5"})
    assert rows == [Row("b", "2", "4"), Row("c", "3", ""), Row("d", "", "5")]
    assert [row.render() for row in rows] == ["| `b` | `2` | `4` |", "| `c` | `3` |  |", "| `d` |  | `5` |"]
