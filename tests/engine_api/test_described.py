"""Every endpoint with a described answer is asked once; the client holds each answer against the description."""

from __future__ import annotations

import pytest

from orchestra.engine_api.routes import ROUTES
from tests.engine_api.client import ANY
from tests.engine_api.described import faults
from tests.examples.conftest import needs_containers

pytestmark = [*needs_containers, pytest.mark.xdist_group("engine_api")]

NOT_SEEN = ("/events", "/logs", "/export", "/archive", "/get", "/attach", "/session", "/grpc", "/build", "/push")
"""Answers that are streams, archives, or those of what does not exist here."""


def test_what_is_not_as_described_is_told():
    assert faults("GET", "/volumes", 200, {"Volumes": [{"Name": 3}], "Colour": "red"}) == [
        ".Volumes[0].Driver is missing",
        ".Volumes[0].Mountpoint is missing",
        ".Volumes[0].Labels is missing",
        ".Volumes[0].Scope is missing",
        ".Volumes[0].Options is missing",
        ".Volumes[0].Name is 3, not string",
        ".Colour is not described",
    ]
    assert faults("GET", "/images/a/b/json", 200, {"Id": None}) == [".Id is null, not string"]


def test_answers_about_what_is_there_are_as_described(engine):
    engine.create("seen", "sh", "-c", "touch /new; exec sleep 10000", host={"Init": True, "Binds": ["kept:/kept"]})
    engine.post("/containers/seen/start")
    made = engine.post("/containers/seen/exec", {"Cmd": ["true"]}).json["Id"]
    names = {"name": "seen", "id": made}
    asked = []
    for route in ROUTES:
        if route.method == "GET" and not route.pattern.endswith(NOT_SEEN):
            of = "bb" if route.pattern.startswith(("/images", "/distribution")) else names["name"]
            of = "kept" if route.pattern.startswith("/volumes") else of
            id = "bridge" if route.pattern.startswith("/networks") else names["id"]
            path = route.pattern.replace("{name}", of).replace("{name:path}", of).replace("{id}", id)
            answer = engine.ask("GET", path, status=ANY, stream=0, **{"one-shot": 1})
            asked += [path] if answer.status == 200 else []
    assert len(asked) > 15
    engine.post("/containers/seen/update", {"PidsLimit": 50})
    engine.post("/volumes/create", {"Name": "other"})
    engine.delete("/volumes/other")
    engine.post("/networks/create", {"Name": "other"})
    engine.delete("/networks/other")
    engine.post("/commit", container="seen", repo="committed")
    engine.delete("/images/committed")
    for kind in ("containers", "networks", "volumes"):
        engine.post(f"/{kind}/prune", filters='{"label": ["nothing"]}')
    engine.post("/images/prune", filters='{"dangling": ["true"]}')
    engine.ask("GET", "/containers/nosuch/json", status=404)
    engine.ask("GET", "/containers/json", filters="{", status=400)
