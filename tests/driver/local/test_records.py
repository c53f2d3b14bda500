"""What is recorded of a run beside its container: the last probes."""

from __future__ import annotations

from orchestra.container.directory import ContainerDirectory
from orchestra.driver.local import record
from orchestra.driver.local.look import HEALTH, of_run
from orchestra.model.health import Health, HealthStatus, Probed
from orchestra.shim.state import State, Status


def test_the_last_probes_of_a_run_are_kept(tmp_path, monkeypatch):
    began = 10.0
    monkeypatch.setattr(record, "state", lambda _directory: State(Status.RUNNING, 1, began, None))
    files = ContainerDirectory(str(tmp_path))
    record.store_health(files.path, Health(HealthStatus.STARTING), None)
    assert of_run(files, HEALTH, began)["log"] == []
    for number in range(7):
        record.store_health(files.path, Health(HealthStatus.HEALTHY), Probed(number, number + 0.5, 0, f"{number}\n"))
    assert [row["output"] for row in of_run(files, HEALTH, began)["log"]] == ["2\n", "3\n", "4\n", "5\n", "6\n"]
    began = 20.0
    record.store_health(files.path, Health(), None)
    assert of_run(files, HEALTH, began)["log"] == []
