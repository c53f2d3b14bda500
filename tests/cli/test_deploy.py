"""``orchestra deploy``, and ``ps``, ``logs`` and ``down`` with ``--driver kubernetes``, on a cluster in memory."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
import threading
import time

import pytest

from orchestra.cli.start import start
from tests.cluster.server import Server, ready, serving
from tests.cluster.websocket import Remote

TEXT = """
services:
  web: {image: "registry.example/web:1", ports: ["80:8000"], ulimits: {nofile: 9}}
"""
EVENTS = "/api/v1/namespaces/shop/events/e"
POD = "/api/v1/namespaces/shop/pods/web-1"


@pytest.fixture
def server():
    return Server()


@pytest.fixture
def orchestra(server, tmp_path, monkeypatch, capsys):
    """Runs a command line in a directory called ``shop``: exit code, standard output, standard error."""
    directory = tmp_path / "shop"
    directory.mkdir()
    (directory / "compose.yaml").write_text(TEXT)
    monkeypatch.chdir(directory)
    monkeypatch.setenv("ORCHESTRA_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "config"))

    def run(*argv: str) -> tuple[int, str, str]:
        code = start(argv)
        shown = capsys.readouterr()
        return code, shown.out, shown.err

    with serving(server) as url:
        cluster = {"name": "c", "cluster": {"server": url}}
        chosen = {"name": "test", "context": {"cluster": "c", "namespace": "shop"}}
        config = {"current-context": "test", "clusters": [cluster], "contexts": [chosen]}
        (tmp_path / "config").write_text(json.dumps(config))
        yield run


def add_pod(server):
    labels = {"app.kubernetes.io/part-of": "shop", "app.kubernetes.io/managed-by": "orchestra"}
    status = {"phase": "Running", "containerStatuses": [{"ready": True, "restartCount": 2}]}
    metadata = {"name": "web-1", "labels": {**labels, "app.kubernetes.io/name": "web"}}
    spec = {"containers": [{"name": "web"}], "nodeName": "node-1"}
    server.objects[POD] = {"kind": "Pod", "metadata": metadata, "spec": spec, "status": status}
    server.logs["web-1"] = [b"2030-01-01T00:00:01Z hello\n"]


def test_a_stack_is_deployed_looked_at_and_taken_down(orchestra, server):
    code, out, err = orchestra("--dry-run", "deploy")
    assert (code, list(server.objects)) == (0, ["/api/v1/namespaces/default"])
    assert "deployment/web created" in out
    assert "objects would change" in err
    code, out, err = orchestra("deploy")
    assert (code, out) == (0, "")
    assert "services.web.ulimits" in err
    assert "deployment/web created\n" in err
    assert "deployment/web ready\n" in err
    assert "0 of 5 objects changed" in orchestra("deploy")[2]
    add_pod(server)
    code, out, err = orchestra("ps", "--driver", "kubernetes")
    assert out.splitlines()[1].split() == ["web-1", "web", "Running", "1/1", "2", "node-1"]
    assert orchestra("ps", "-q", "--driver", "kubernetes")[1] == "web-1\n"
    assert orchestra("logs", "--driver", "kubernetes")[1] == "web-1 | hello\n"
    assert orchestra("logs", "-t", "--no-log-prefix", "--driver=kubernetes")[1] == "2030-01-01T00:00:01Z hello\n"
    del server.objects[POD]
    code, out, err = orchestra("--dry-run", "down", "--driver", "kubernetes")
    assert out.startswith("deployment/web removed\n")
    assert "6 objects removed" in orchestra("down", "--driver", "kubernetes")[2]
    assert [path for path in server.objects if path.count("/") > 4] == []


def web(server):
    return server.objects["/apis/apps/v1/namespaces/shop/deployments/web"]["spec"]


def test_deploy_is_told_when_what_it_waits_for_is_there(orchestra, server):
    def slow(item):
        begins.set()
        return {}

    def become_ready():
        begins.wait(20)
        path = "/apis/apps/v1/namespaces/shop/deployments/web"
        while not any("deployments?" in line and "watch=true" in line for line in server.seen):
            time.sleep(0.01)
        server.set_status(path, ready(server.objects[path]))

    begins, server.controller = threading.Event(), slow
    thread = threading.Thread(target=become_ready)
    thread.start()
    code, _out, err = orchestra("deploy")
    thread.join()
    assert (code, "deployment/web ready" in err) == (0, True)


def test_logs_follow_pods_that_start_later_and_runs_that_come_later(orchestra, server):
    add_pod(server)

    def go_on():
        wait_for(server, "web-1/log")
        server.logs["web-2"] = [b"2030-01-01T00:00:02Z second\n"]
        other = json.loads(json.dumps(server.objects[POD]))
        other["metadata"]["name"] = "web-2"
        server.tell(POD.replace("web-1", "web-2"), "ADDED", other)
        wait_for(server, "web-2/log")
        server.logs["web-1"] = [b"2030-01-01T00:00:03Z again\n"]
        (state,) = server.objects[POD]["status"]["containerStatuses"]
        state["restartCount"] = 3
        server.tell(POD, "MODIFIED", server.objects[POD])
        for name, item in ((POD, server.objects[POD]), (POD.replace("web-1", "web-2"), other)):
            server.tell(name, "DELETED", item)

    thread = threading.Thread(target=go_on)
    thread.start()
    code, out, _err = orchestra("logs", "-f", "--driver", "kubernetes", "web")
    thread.join()
    assert (code, sorted(out.splitlines())) == (0, ["web-1 | again", "web-1 | hello", "web-2 | second"])


def wait_for(server, words):
    deadline = time.monotonic() + 20
    while not any(words in line for line in server.seen):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def happened(name, moment, reason="Pulled"):
    subject = {"kind": "Pod", "name": name}
    metadata = {"name": f"{name}.{reason}", "creationTimestamp": moment}
    return {
        "metadata": metadata,
        "involvedObject": subject,
        "reason": reason,
        "message": "done",
        "lastTimestamp": moment,
    }


def test_events_of_the_past(orchestra, server):
    orchestra("deploy")
    moments = [f"2026-01-01T00:00:0{number}Z" for number in range(1, 5)]
    server.events = [happened("web-1", moment) for moment in moments] + [happened("other-1", moments[1])]
    span = ("--since", moments[1], "--until", moments[2])
    code, out, _err = orchestra("events", "--driver", "kubernetes", "--json", *span)
    rows = [json.loads(line) for line in out.splitlines()]
    assert (code, [row["time"] for row in rows]) == (0, [f"{moment[:-1]}.000000Z" for moment in moments[1:3]])
    told = {"name": "web-1", "message": "done"}
    assert rows[0] | {"time": ""} == {
        "time": "",
        "type": "pod",
        "service": "web",
        "id": "web-1",
        "action": "Pulled",
        "attributes": told,
    }
    assert orchestra("events", "--driver", "kubernetes", *span, "other")[1] == ""


def test_events_as_they_happen(orchestra, server):
    orchestra("deploy")
    server.events = [happened("web-1", "2026-01-01T00:00:01Z", "Old")]

    def happen():
        wait_for(server, "/events?watch=true")
        server.tell(EVENTS, "ADDED", happened("web-1", "2026-01-01T00:00:02Z", "New"))

    thread = threading.Thread(target=happen)
    thread.start()
    code, out, _err = orchestra("events", "--driver", "kubernetes", "--until", f"{time.time() + 4:.0f}")
    thread.join()
    assert (code, "pod New web-1 (done)" in out, "Old" in out) == (0, True, False)


def set_image(tmp_path, text):
    (tmp_path / "shop" / "compose.yaml").write_text(TEXT.replace("web:1", text))


def test_a_plan_is_what_deploy_would_do(orchestra, server, tmp_path):
    code, out, _err = orchestra("plan", "--driver", "kubernetes")
    assert (code, "deployment/web created" in out) == (2, True)
    orchestra("deploy")
    assert orchestra("plan", "--driver", "kubernetes")[:2] == (0, "")
    set_image(tmp_path, "web:2")
    code, out, _err = orchestra("plan", "--driver", "kubernetes", "--format", "json")
    (change,) = json.loads(out)
    assert (code, change["name"], change["effect"]) == (2, "deployment/web", "changed")
    assert "web:2" in change["difference"]
    assert "web:2" not in json.dumps(web(server))


@pytest.mark.parametrize(
    "words", [("plan", "--offline"), ("plan", "web"), ("plan", "--format", "dot"), ("scale", "--no-deps", "web=2")]
)
def test_options_without_effect_are_refused(orchestra, server, words):
    code, _out, err = orchestra(*words, "--driver", "kubernetes")
    assert code == 1
    assert "--driver" in err
    assert server.seen == []


def test_scaling_lasts_until_the_next_deploy(orchestra, server):
    assert "no deployment of this stack" in orchestra("scale", "--driver", "kubernetes", "web=3")[2]
    orchestra("deploy")
    code, out, _err = orchestra("--dry-run", "scale", "--driver", "kubernetes", "web=3")
    assert (code, "+  replicas: 3" in out, web(server)["replicas"]) == (0, True, 1)
    code, _out, err = orchestra("scale", "--driver", "kubernetes", "web=3")
    assert (code, web(server)["replicas"]) == (0, 3)
    assert "1 of 5 objects changed" in err
    assert "no workload 'other'" in orchestra("scale", "--driver", "kubernetes", "other=3")[2]
    assert "1 of 5 objects changed" in orchestra("deploy")[2]
    assert web(server)["replicas"] == 1


def test_a_rollback_brings_the_deployment_before_back(orchestra, server, tmp_path):
    orchestra("deploy")
    assert "before the last one" in orchestra("rollback", "--driver", "kubernetes")[2]
    for number in range(2, 5):
        set_image(tmp_path, f"web:{number}")
        orchestra("deploy")
    code, out, _err = orchestra("--dry-run", "rollback", "--driver", "kubernetes")
    assert (code, "image: registry.example/web:3" in out) == (0, True)
    for expected in ("web:3", "web:4"):
        code, _out, err = orchestra("rollback", "--driver", "kubernetes")
        assert (code, "1 of 5 objects changed" in err) == (0, True)
        assert web(server)["template"]["spec"]["containers"][0]["image"] == f"registry.example/{expected}"
    assert sum("shop-revision-" in path for path in server.objects) == 2
    orchestra("down", "--driver", "kubernetes")
    assert [path for path in server.objects if path.count("/") > 4] == []


@pytest.mark.parametrize(
    ("service", "text"),
    [
        ("{build: .}", "has no name in a registry"),
        ("{image: 'rootfs:BUSYBOX'}", "is an image of this machine"),
    ],
)
def test_an_image_of_this_machine_is_an_error_at_its_place(orchestra, server, tmp_path, service, text):
    (tmp_path / "shop" / "compose.yaml").write_text(f"services:\n  web: {service}\n")
    code, _out, err = orchestra("deploy")
    assert code == 15
    assert "compose.yaml:2:" in err
    assert text in err
    assert server.seen == []


def test_a_context_that_does_not_exist(orchestra):
    code, _out, err = orchestra("deploy", "--context", "other")
    assert code == 1
    assert "the kubeconfig has no context 'other'" in err
    assert "it has test" in err


def test_exec_runs_a_program_in_a_pod(orchestra, server):
    add_pod(server)

    def remote(handler):
        remote = Remote(handler)
        for channel, _data in remote.received():
            if channel == 255:
                break
        remote.send(1, " ".join(remote.query["command"]).encode())
        remote.send(2, b"oh")
        remote.end(3)

    server.programs.append(remote)
    words = ("exec", "-T", "--driver", "kubernetes", "web", "sh", "-c", "true")
    done = subprocess.run([sys.executable, "-m", "orchestra", *words], stdin=subprocess.DEVNULL, capture_output=True)
    assert (done.returncode, done.stdout, done.stderr) == (3, b"sh -c true", b"oh")


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (("-u", "1", "web", "true"), "has no --user"),
        (("-e", "A=b", "web", "true"), "has no --env"),
        (("-d", "web", "true"), "ends programs with their connection"),
        (("--index", "2", "web", "true"), "has no container 2: 1 pods run"),
        (("db", "true"), 'service "db" is not running'),
    ],
)
def test_what_exec_cannot_do_in_a_cluster(orchestra, server, words, text):
    add_pod(server)
    code, _out, err = orchestra("exec", "--driver", "kubernetes", *words)
    assert (code, text in err) == (1, True), err


def test_logins_are_given_only_when_asked(orchestra, server, tmp_path, monkeypatch):
    auth = base64.b64encode(b"user:secret").decode()
    (tmp_path / "auth.json").write_text(json.dumps({"auths": {"registry.example": {"auth": auth}}}))
    monkeypatch.setenv("REGISTRY_AUTH_FILE", str(tmp_path / "auth.json"))
    path = "/api/v1/namespaces/shop/secrets/shop-registries"
    orchestra("deploy")
    assert path not in server.objects
    assert "imagePullSecrets" not in web(server)["template"]["spec"]
    code, _out, err = orchestra("deploy", "--with-registry-auth")
    assert (code, "user" in err, "secret/shop-registries created" in err) == (0, False, True)
    content = json.loads(base64.b64decode(server.objects[path]["data"][".dockerconfigjson"]))
    assert content == {"auths": {"registry.example": {"auth": auth}}}
    assert server.objects[path]["type"] == "kubernetes.io/dockerconfigjson"
    assert web(server)["template"]["spec"]["imagePullSecrets"] == [{"name": "shop-registries"}]
    orchestra("deploy")
    assert path not in server.objects
