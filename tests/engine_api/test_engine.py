"""The API as its clients use it: on a stack of a file, and on containers that are made through it."""

from __future__ import annotations

import io
import json
import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import tarfile
import threading

import pytest

from orchestra.engine_api.routes import ROUTES
from tests.engine_api.client import ANY, Engine, frames, joined, read_all
from tests.engine_api.conftest import serving
from tests.examples.conftest import eventually, needs_containers

pytestmark = [*needs_containers, pytest.mark.xdist_group("engine_api")]


def test_a_stack_appears_with_the_labels_of_compose(engine):
    rows = {row["Names"][0]: row for row in engine.get("/containers/json")}
    web = rows["/shop-web-2"]
    assert sorted(rows) == ["/shop-db-1", "/shop-web-1", "/shop-web-2"]
    assert web["State"] == "running"
    own = {
        "com.docker.compose.container-number": "2",
        "com.docker.compose.oneoff": "False",
        "com.docker.compose.project": "shop",
        "com.docker.compose.service": "web",
        "traefik.enable": "true",
    }
    assert web["Labels"].items() >= own.items()
    shown = engine.get("/containers/shop-web-2/json")
    assert shown["Id"] == web["Id"]
    address = shown["NetworkSettings"]["Networks"]["shop_default"]["IPAddress"]
    assert address == web["NetworkSettings"]["Networks"]["shop_default"]["IPAddress"]
    assert engine.get(f"/containers/{web['Id'][:12]}/json")["Name"] == "/shop-web-2"


def test_filters_choose_containers(engine):
    def names(**filters):
        return [row["Names"][0] for row in engine.get("/containers/json", all=1, filters=json.dumps(filters))]

    assert names(label=["com.docker.compose.service=db"]) == ["/shop-db-1"]
    assert names(label={"com.docker.compose.service=db": True}) == ["/shop-db-1"]
    assert names(name=["web-1$"], status=["running"]) == ["/shop-web-1"]
    assert names(status=["exited"]) == []
    assert len(names(network=["shop_default"])) == 3
    assert engine.ask("GET", "/containers/json", filters='{"colour": ["red"]}', status=400).json["message"]


def test_logs_of_a_stack_are_framed(engine):
    answer = engine.ask("GET", "/containers/shop-web-1/logs", stdout=1, stderr=1)
    assert answer.headers["content-type"] == "application/vnd.docker.multiplexed-stream"
    assert frames(answer.body) == [(1, b"ready\n")]
    assert engine.ask("GET", "/containers/shop-web-1/logs", status=400)


def test_one_of_several_replicas_is_stopped_and_started_alone(engine, served):
    def began(name):
        state = engine.get(f"/containers/{name}/json")["State"]
        return state["StartedAt"] if state["Running"] else None

    first, other = began("shop-web-1"), began("shop-web-2")
    engine.post("/containers/shop-web-1/kill", signal="WINCH")
    engine.post("/containers/shop-web-1/pause")
    assert not engine.get("/containers/shop-web-2/json")["State"]["Paused"]
    engine.post("/containers/shop-web-1/unpause")
    engine.post("/containers/shop-web-1/stop", t=0)
    engine.ask("POST", "/containers/shop-web-1/stop", status=304)
    served.stack.run("up", "-d", "db")  # says nothing of it
    assert (began("shop-web-1"), began("shop-web-2")) == (None, other)
    assert "nothing to do" not in served.stack.run("plan", code=None).stdout  # another ``up`` would start it
    engine.post("/containers/shop-web-1/start")
    assert began("shop-web-1") > first
    engine.post("/containers/shop-web-2/restart", t=0)
    assert began("shop-web-2") > other
    engine.post("/containers/shop-web-2/kill")
    served.stack.run("up", "-d")
    assert began("shop-web-1") > first
    assert began("shop-web-2") > other


def test_a_container_runs_to_its_end(engine, served):
    identifier = engine.create("job", "sh", "-c", "echo out; echo err >&2; exit 7", Env=["A=1"], Labels={"x": "y"})
    assert engine.get("/containers/job/json")["State"]["Status"] == "created"
    engine.post("/containers/job/start")
    assert engine.post("/containers/job/wait").json == {"StatusCode": 7}
    shown = engine.get("/containers/job/json")
    assert (shown["Id"], shown["State"]["ExitCode"], shown["Config"]["Labels"]) == (identifier, 7, {"x": "y"})
    assert "A=1" in shown["Config"]["Env"]
    logs = engine.ask("GET", "/containers/job/logs", stdout=1, stderr=1).body
    assert (joined(logs, 1), joined(logs, 2)) == (b"out\n", b"err\n")
    assert served.stack.run("-p", "engine-api", "ps", "-a", "--format", "{{.Name}}").stdout == "job\n"
    engine.delete("/containers/job")
    engine.ask("GET", "/containers/job/json", status=404)


def test_a_client_is_attached_from_the_first_byte(engine):
    engine.create("cat", "sh", "-c", "echo first; cat", OpenStdin=True, StdinOnce=True, AttachStdin=True)
    connection, rest = engine.hijack("/containers/cat/attach", stream=1, stdin=1, stdout=1, stderr=1)
    with connection:
        connection.sendall(b"typed\n")
        connection.shutdown(1)
        engine.post("/containers/cat/start")
        assert joined(read_all(connection, rest), 1) == b"first\ntyped\n"
    assert engine.post("/containers/cat/wait").json == {"StatusCode": 0}


def test_a_terminal_is_raw_and_has_a_size(engine):
    engine.create("tty", "sh", "-c", "stty size; read x; stty size", Tty=True, OpenStdin=True, StdinOnce=True)
    connection, rest = engine.hijack("/containers/tty/attach", stream=1, stdin=1, stdout=1)
    with connection:
        engine.post("/containers/tty/start")
        eventually(lambda: engine.ask("GET", "/containers/tty/logs", stdout=1).body)
        engine.post("/containers/tty/resize", h=31, w=99)
        connection.sendall(b"\n")
        assert read_all(connection, rest).endswith(b"31 99\r\n")


@pytest.mark.parametrize(("keys", "typed"), [("", b"\x10\x11"), ("ctrl-a,x", b"\x01\x01x")])
def test_a_client_at_a_terminal_leaves_by_keys_and_the_program_goes_on(keys, typed, engine):
    query = {"detachKeys": keys} if keys else {}
    engine.create("left", "sh", "-c", "while read line; do echo got $line; done", Tty=True, OpenStdin=True)
    engine.post("/containers/left/start")
    for word in (b"one", b"two"):
        connection, rest = engine.hijack("/containers/left/attach", stream=1, stdin=1, stdout=1, **query)
        with connection:
            connection.sendall(word + b"\n")
            while rest.count(word) < 2:  # the terminal shows it, too
                rest += connection.recv(4096)
            connection.sendall(typed)
            read_all(connection)
        assert engine.get("/containers/left/json")["State"]["Running"]
    command = {"Cmd": ["cat"], "Tty": True, "AttachStdin": True, "AttachStdout": True, "DetachKeys": keys}
    identifier = engine.post("/containers/left/exec", command).json["Id"]
    connection, rest = engine.hijack(f"/exec/{identifier}/start", {"Tty": True})
    with connection:
        connection.sendall(typed)
        read_all(connection)
    assert engine.get(f"/exec/{identifier}/json")["Running"]


def test_keys_that_are_none_are_refused(engine):
    engine.create("left", "sh", Tty=True, OpenStdin=True)
    answer = engine.ask("POST", "/containers/left/attach", status=400, stream=1, detachKeys="ctrl-")
    assert answer.json["message"] == "Invalid detach keys (ctrl-) provided"
    engine.ask("POST", "/containers/shop-db-1/exec", {"Cmd": ["cat"], "DetachKeys": "ab"}, status=400)


def test_a_command_is_executed_in_a_container(engine):
    identifier = engine.post(
        "/containers/shop-db-1/exec",
        {"Cmd": ["sh", "-c", "cat; echo no >&2; exit 3"], "AttachStdin": True, "AttachStdout": True},
    ).json["Id"]
    connection, rest = engine.hijack(f"/exec/{identifier}/start", {})
    with connection:
        connection.sendall(b"in")
        connection.shutdown(1)
        data = read_all(connection, rest)
    assert (joined(data, 1), joined(data, 2)) == (b"in", b"no\n")
    shown = engine.get(f"/exec/{identifier}/json")
    assert (shown["Running"], shown["ExitCode"]) == (False, 3)
    engine.ask("POST", f"/exec/{identifier}/start", {}, status=409)


def test_a_program_that_does_not_exist_is_told_of_in_the_stream(engine):
    identifier = engine.post("/containers/shop-db-1/exec", {"Cmd": ["nosuch"]}).json["Id"]
    connection, rest = engine.hijack(f"/exec/{identifier}/start", {})
    with connection:
        assert b"no such file or directory" in joined(read_all(connection, rest), 2)
    assert engine.get(f"/exec/{identifier}/json")["ExitCode"] == 127


def test_an_execution_outlives_its_client(engine):
    command = {"Cmd": ["sh", "-c", "echo $$; sleep 10000"], "AttachStdout": True}
    identifier = engine.post("/containers/shop-db-1/exec", command).json["Id"]
    connection, rest = engine.hijack(f"/exec/{identifier}/start", {})
    with connection:
        while not rest:
            rest = connection.recv(100)
    assert engine.get(f"/exec/{identifier}/json")["Running"]
    pid = engine.get(f"/exec/{identifier}/json")["Pid"]
    os.kill(pid, signal.SIGKILL)
    eventually(lambda: engine.get(f"/exec/{identifier}/json")["ExitCode"] == 137)


def test_events_are_told_as_they_happen_and_again(engine):
    heard, begun = [], threading.Event()

    def listen() -> None:
        filters = json.dumps({"type": ["container"], "container": ["noted"]})
        with engine.connect() as connection:
            connection.sendall(f"GET /events?filters={filters.replace(' ', '')} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            data = b""
            while b"destroy" not in data:
                data += connection.recv(4096)
                begun.set()
            heard.extend(json.loads(line) for line in data.splitlines() if line.startswith(b"{"))

    listener = threading.Thread(target=listen)
    listener.start()
    assert begun.wait(60)
    engine.create("noted", "true", Labels={"kind": "test"})
    engine.post("/containers/noted/start")
    engine.post("/containers/noted/wait")
    engine.delete("/containers/noted")
    listener.join(60)
    assert not listener.is_alive()
    actions = [row["Action"] for row in heard]
    assert [action for action in actions if action != "stop"] == ["create", "start", "die", "destroy"]
    die = heard[actions.index("die")]["Actor"]["Attributes"]
    assert (die["name"], die["exitCode"], die["kind"]) == ("noted", "0", "test")
    past = engine.ask("GET", "/events", since=heard[0]["time"], until=heard[-1]["time"] + 1).documents
    assert {"create", "start", "die", "destroy"} <= {
        row["Action"] for row in past if row["Actor"]["ID"] == heard[0]["id"]
    }


def test_files_are_copied_in_and_out(engine):
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        entry = tarfile.TarInfo("note")
        entry.size = 5
        tar.addfile(entry, io.BytesIO(b"hello"))
    engine.ask("PUT", "/containers/shop-db-1/archive", archive.getvalue(), path="/tmp")
    answer = engine.ask("GET", "/containers/shop-db-1/archive", path="/tmp/note")
    with tarfile.open(fileobj=io.BytesIO(answer.body)) as tar:
        assert tar.extractfile("note").read() == b"hello"
    assert engine.ask("HEAD", "/containers/shop-db-1/archive", path="/tmp/note").headers["x-docker-container-path-stat"]
    engine.ask("GET", "/containers/shop-db-1/archive", path="/nosuch", status=404)


def test_a_container_is_renamed_limited_paused_and_changed(engine):
    engine.create("before", "sleep", "10000", host={"Init": True})
    engine.post("/containers/before/start")
    engine.post("/containers/before/rename", name="after")
    engine.ask("GET", "/containers/before/json", status=404)
    engine.post("/containers/after/update", {"PidsLimit": 50})
    assert engine.get("/containers/after/json")["HostConfig"]["PidsLimit"] == 50
    engine.post("/containers/after/pause")
    assert engine.get("/containers/after/json")["State"]["Status"] == "paused"
    engine.post("/containers/after/unpause")
    identifier = engine.post("/containers/after/exec", {"Cmd": ["touch", "/new"]}).json["Id"]
    engine.post(f"/exec/{identifier}/start", {"Detach": True})
    eventually(lambda: engine.get("/containers/after/changes") == [{"Path": "/new", "Kind": 1}])
    assert "sleep" in str(engine.get("/containers/after/top")["Processes"])
    table = engine.get("/containers/after/top", ps_args="-o pid,args --sort=-pid")
    assert table["Titles"] == ["PID", "COMMAND"]
    assert [command for _, command in table["Processes"] if "sleep" in command] == ["sleep 10000"]
    usual = engine.get("/containers/after/top")["Processes"]
    assert {pid for pid, _ in table["Processes"]} == {row[1] for row in usual}
    assert "PID" in engine.ask("GET", "/containers/after/top", ps_args="-o args", status=500).json["message"]
    assert "ps: " in engine.ask("GET", "/containers/after/top", ps_args="--nonsense", status=500).json["message"]
    engine.ask("GET", "/containers/after/top", ps_args="-oppid=PID --sort=pid", status=400)
    assert engine.get("/containers/after/stats", stream=0)["memory_stats"]["usage"] > 0
    engine.ask("POST", "/containers/create", {"Image": "bb"}, name="after", status=409)
    engine.ask("DELETE", "/containers/after", status=409)


def test_containers_of_a_network_find_each_other_and_share_a_volume(engine):
    engine.post("/networks/create", {"Name": "mesh"})
    engine.post("/volumes/create", {"Name": "shared"})
    host = {"NetworkMode": "mesh", "Binds": ["shared:/data"]}
    engine.create("left", "sh", "-c", "echo x > /data/file; sleep 10000", host={**host, "Init": True})
    engine.post("/containers/left/start")
    engine.create("right", "sh", "-c", "ping -c1 left && cat /data/file", host={**host, "AutoRemove": True})
    connection, rest = engine.hijack("/containers/right/attach", stream=1, stdout=1, stderr=1)
    with connection:
        engine.post("/containers/right/start")
        assert joined(read_all(connection, rest), 1).endswith(b"x\n")
    eventually(lambda: "/right" not in str(engine.get("/containers/json", all=1)))
    assert [each["Name"] for each in engine.get("/networks/mesh")["Containers"].values()] == ["left"]
    engine.ask("DELETE", "/networks/mesh", status=403)
    engine.ask("DELETE", "/volumes/shared", status=409)
    engine.delete("/containers/left", force=1)
    engine.delete("/networks/mesh")
    engine.delete("/volumes/shared")
    assert {"bridge", "host", "none"} <= {each["Name"] for each in engine.get("/networks")}


def test_an_image_is_built_tagged_saved_loaded_and_removed(engine):
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        text = b"FROM bb\nRUN echo built > /made\nCMD cat /made\n"
        entry = tarfile.TarInfo("Dockerfile")
        entry.size = len(text)
        tar.addfile(entry, io.BytesIO(text))
    told = engine.ask("POST", "/build", archive.getvalue(), t="made:1").documents
    assert any("Successfully tagged made:1" in row.get("stream", "") for row in told)
    engine.post("/images/made:1/tag", repo="other/made", tag="2")
    assert engine.get("/images/made:1/json")["RepoTags"] == ["made:1", "other/made:2"]
    assert "echo built" in str(engine.get("/images/made:1/history"))
    saved = engine.ask("GET", "/images/made:1/get").body
    engine.delete("/images/other/made:2")
    assert any("Deleted" in row for row in engine.delete("/images/made:1").json)
    assert "made:1" in str(engine.ask("POST", "/images/load", saved).documents)
    engine.ask("POST", "/containers/create", {"Image": "nosuch"}, status=404)
    engine.delete("/images/made:1")


@pytest.mark.parametrize("condition", ["not-running", "next-exit"])
def test_the_end_of_one_that_is_restarted_is_waited_for(condition, engine):
    program = "until [ -e /go ]; do sleep 0.1; done; rm /go; exit 3"
    engine.create("again", "sh", "-c", program, host={"Init": True, "RestartPolicy": {"Name": "always"}})
    engine.post("/containers/again/start")
    with engine.connect() as connection:
        path = f"/v1.47/containers/again/wait?condition={condition}"
        connection.sendall(
            f"POST {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 0\r\n\r\n".encode()
        )
        assert b" 200 " in connection.recv(65536)  # it waits by now
        identifier = engine.post("/containers/again/exec", {"Cmd": ["touch", "/go"]}).json["Id"]
        engine.post(f"/exec/{identifier}/start", {"Detach": True})
        assert re.search(rb'"StatusCode": ?3\b', read_all(connection))


def test_images_are_pruned_by_their_labels_and_age(engine):
    def build(name, label):
        archive = io.BytesIO()
        with tarfile.open(fileobj=archive, mode="w") as tar:
            entry = tarfile.TarInfo("Dockerfile")
            text = f"FROM bb\nLABEL {label}\n".encode()
            entry.size = len(text)
            tar.addfile(entry, io.BytesIO(text))
        engine.ask("POST", "/build", archive.getvalue(), t=name)

    def prune(**filters):
        told = engine.post("/images/prune", filters=json.dumps(filters)).json["ImagesDeleted"] or []
        return [row["Untagged"] for row in told if "Untagged" in row], sum("Deleted" in row for row in told)

    build("old:1", "kind=c")
    build("old:1", "kind=b")  # the first has no name any more
    build("kept:1", "kind=b")
    build("used:1", "kind=a")
    engine.create("user", "true", image="used:1")
    assert prune(label=["kind=b"]) == ([], 0)
    assert prune(label=["kind"]) == ([], 1)
    assert prune(dangling=["false"], label=["kind"], until=["1h"]) == ([], 0)
    assert prune(dangling=["false"], **{"label": ["kind"], "label!": ["kind=b"]}) == ([], 0)
    engine.post("/images/kept:1/tag", repo="kept", tag="2")
    engine.delete("/images/old:1")
    assert prune(dangling=["false"], label=["kind=b"]) == (["kept:1", "kept:2"], 1)
    engine.get("/images/used:1/json")
    engine.delete("/containers/user")
    assert prune(dangling=["false"], label=["kind"]) == (["used:1"], 1)
    assert engine.get("/images/bb/json")


def test_what_is_made_through_it_outlives_the_process(engine, served, tmp_path):
    with serving(served.stack, tmp_path / "second.sock") as second:
        second.engine.create("kept", "sleep", "10000", host={"Init": True})
        second.engine.post("/containers/kept/start")
        second.process.kill()
        second.process.wait(60)
    assert engine.get("/containers/kept/json")["State"]["Running"]


def test_what_is_to_go_at_its_end_goes_without_the_process(engine, served, tmp_path):
    volumes = {row["Name"] for row in engine.get("/volumes")["Volumes"]}
    with serving(served.stack, tmp_path / "idle.sock", "--idle", "1") as idle:
        command = "read line < /wait; exit 3"
        idle.engine.create("brief", "sh", "-c", command, host={"AutoRemove": True}, Volumes={"/kept": {}})
        pipe = io.BytesIO()
        with tarfile.open(fileobj=pipe, mode="w") as tar:
            entry = tarfile.TarInfo("wait")
            entry.type = tarfile.FIFOTYPE
            tar.addfile(entry)
        idle.engine.ask("PUT", "/containers/brief/archive", pipe.getvalue(), path="/")
        idle.engine.post("/containers/brief/start")
        assert idle.process.wait(60) == 0
    assert engine.get("/containers/brief/json")["State"]["Running"]
    told = engine.post("/containers/brief/exec", {"Cmd": ["sh", "-c", "echo > /wait"]}).json["Id"]
    with engine.connect() as waiting:
        waiting.sendall(b"POST /containers/brief/wait HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert waiting.recv(4096).startswith(b"HTTP/1.1 200")
        engine.post(f"/exec/{told}/start", {"Detach": True})
        assert b'{"StatusCode":3}' in read_all(waiting)
    eventually(lambda: engine.ask("GET", "/containers/brief/json", status=ANY).status == 404)
    eventually(lambda: {row["Name"] for row in engine.get("/volumes")["Volumes"]} == volumes)


def test_one_that_is_to_go_at_its_end_may_be_restarted_and_stopped(engine):
    engine.create("brief", "sleep", "10000", host={"AutoRemove": True, "Init": True})
    engine.post("/containers/brief/start")
    engine.post("/containers/brief/restart", t=0)
    assert engine.get("/containers/brief/json")["State"]["Running"]
    engine.post("/containers/brief/stop", t=0)
    eventually(lambda: engine.ask("GET", "/containers/brief/json", status=ANY).status == 404)
    body = {"Image": "bb", "HostConfig": {"AutoRemove": True, "RestartPolicy": {"Name": "always"}}}
    engine.ask("POST", "/containers/create", body, status=400)


def test_it_ends_when_nothing_needs_it(served, tmp_path):
    with serving(served.stack, tmp_path / "idle.sock", "--idle", "1") as idle:
        assert idle.process.wait(60) == 0
    assert not (tmp_path / "idle.sock").exists()


def test_a_service_manager_may_hand_over_the_socket(served, tmp_path):
    path = tmp_path / "handed.sock"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        program = shlex.join([sys.executable, "-m", "orchestra", "api", "--idle", "1"])
        line = f"exec 3<&0 </dev/null; LISTEN_FDS=1 LISTEN_PID=$$ exec {program}"
        with subprocess.Popen(["sh", "-c", line], env=served.stack.environment, stdin=listener) as process:
            try:
                assert Engine(path).ask("GET", "/_ping").body == b"OK"
                assert process.wait(60) == 0
            finally:
                process.kill()
    assert path.exists()  # it is the service manager's


def test_only_chosen_stacks_are_shown(served, tmp_path):
    with serving(served.stack, tmp_path / "none.sock", "--stack", "nosuch", "--read-only") as none:
        assert none.engine.get("/containers/json", all=1) == []
        none.engine.ask("GET", "/containers/shop-db-1/json", status=404)


def test_with_chosen_stacks_only_their_containers_can_be_changed(served, engine, tmp_path):
    made = engine.post("/containers/create", {"Image": "bb", "Cmd": ["true"]}).json["Id"]
    with serving(served.stack, tmp_path / "shop.sock", "--stack", "shop") as shop:
        for route in ROUTES:
            if route.writes and not route.is_of_container:
                path = re.sub(r"{.*?}", "any", route.pattern)
                assert shop.engine.ask(route.method, path, status=403).json["message"].startswith("this socket is for")
        shop.engine.ask("DELETE", f"/containers/{made}", status=404)
        execution = shop.engine.post("/containers/shop-web-1/exec", {"Cmd": ["true"]}).json["Id"]
        shop.engine.post(f"/exec/{execution}/start", {"Detach": True})
        eventually(lambda: shop.engine.get(f"/exec/{execution}/json")["ExitCode"] == 0)
