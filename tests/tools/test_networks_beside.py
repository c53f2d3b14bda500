"""The tool that compares networks with those of Docker Compose: its page, and what it makes of what it sees."""

from __future__ import annotations

from orchestra.compose.loading import load
from orchestra.compose.request import LoadRequest
from tools.networks_beside import PAGE, SERVICES, Row, differences, facts, read_page

SEEN = "routes\tdefault via 10.1.1.1\nroutes\t10.1.1.0/24  dev eth0\nsetting ipv4/neigh/eth0/x\t1\nname\t\n"


def test_the_page_has_a_file_that_loads_and_a_reason_for_each_row(tmp_path):
    text, rows = read_page(PAGE.read_text())
    (tmp_path / "compose.yaml").write_text(text)
    loaded = load(LoadRequest({}, str(tmp_path)))
    assert sorted(spec.service for spec in loaded.desired.containers) == sorted(SERVICES)
    assert loaded.not_applied == ()
    assert [row.where for row in rows if not row.reason] == []
    assert {row.where.partition(":")[0] for row in rows} <= {*SERVICES, "machine"}


def test_facts_are_lines_by_key_without_those_that_vary():
    assert facts("web", SEEN) == {"web: routes": "default via 10.1.1.1; 10.1.1.0/24 dev eth0", "web: name": ""}


def test_only_what_differs_is_a_row_as_the_page_has_it():
    rows = differences({"a": "1", "b": "2", "c": "3"}, {"a": "1", "b": "4", "d": "5"})
    assert rows == [Row("b", "2", "4"), Row("c", "3", ""), Row("d", "", "5")]
    assert [row.render() for row in rows] == ["| `b` | `2` | `4` |  |", "| `c` | `3` |  |  |", "| `d` |  | `5` |  |"]
    _, read = read_page('```yaml title="compose.yaml"\n```\n' + "\n".join(row.render() for row in rows))
    assert read == rows
