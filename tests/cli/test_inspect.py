"""``inspect`` describes containers in words, in Docker's shape, and by templates."""

from __future__ import annotations

import json
import os

import pytest

from tests.examples.conftest import eventually, needs_containers

STACK = """
services:
  web:
    image: "rootfs:BUSYBOX"
    command: [sleep, infinity]
    init: true
    scale: 2
    ports: ["127.0.0.1::80"]
    volumes: ["data:/data", /anonymous, "./site:/site:ro"]
    tmpfs: [/scratch]
    secrets: [token]
    mem_limit: 64m
    cpus: 0.5
    pids_limit: 100
    environment: {PASSWORD: not-shown}
    healthcheck: {test: "echo well", interval: 100ms}
    restart: on-failure:3
  job: {image: "rootfs:BUSYBOX", command: [sh, -c, "exit 137"]}
  idle: {image: "rootfs:BUSYBOX", command: ["true"], scale: 0}
volumes: {data: {}}
secrets: {token: {content: secret}}
"""


def test_what_exists_only_as_files_is_described(orchestra, by_hand):
    name = by_hand.create("web")
    assert "created, never started" in orchestra("-p", "s", "inspect", "web")[1]
    by_hand.run(name)
    by_hand.exit(name, 137)
    code, out, err = orchestra("-p", "s", "inspect", "web")
    assert (code, err) == (0, "")
    assert out.startswith("s-web-1: service web, container 1 of stack s\n")
    assert "exited, exit code 137 (SIGKILL)" in out
    with open(f"{by_hand.home.container(name)}/container.json", "w") as file:
        file.write("{")
    code, out, err = orchestra("-p", "s", "inspect", "web")
    assert code == 0
    assert "container.json is damaged" in err
    assert "Damage" in out


def test_templates_may_ask_whether_there_is_a_health_check(orchestra, by_hand):
    by_hand.run(by_hand.create("web"))

    def fill(template):
        return orchestra("-p", "s", "inspect", "web", "--format", template)

    assert fill("{{json .State.Health}}") == (0, "null\n", "")
    assert fill("{{if .State.Health}}{{.State.Health.Status}}{{else}}none{{end}}") == (0, "none\n", "")
    assert "Health" not in fill("{{json .State}}")[1]
    assert "Health" not in json.loads(fill("json")[1])[0]["State"]
    code, out, err = fill("{{.State.Health.Status}}")
    assert (code, out) == (1, "")
    assert "there is no .Status: what precedes it is nil" in err


def test_a_container_of_another_stack_is_found_by_its_name_and_id(orchestra, by_hand):
    by_hand.create("web")
    assert orchestra("inspect", "-f", "{{.Name}}", "s-web-1") == (0, "/s-web-1\n", "")
    assert orchestra("-p", "other", "inspect", "-f", "{{.Name}}", "id-s-w")[1] == "/s-web-1\n"
    code, out, err = orchestra("inspect", "web")
    assert (code, out) == (1, "")
    assert "no such service or container: web" in err
    assert "did you mean s-web-1?" in err


@pytest.mark.parametrize("width", [60, 80])
def test_a_terminal_is_not_overrun(width, orchestra, by_hand, monkeypatch):
    monkeypatch.setenv("COLUMNS", str(width))
    by_hand.create("a-service-with-quite-a-long-name")
    out = orchestra("-p", "s", "inspect", "a-service-with-quite-a-long-name")[1]
    assert max(len(line) for line in out.splitlines() if "/" not in line) <= width


class TestRealContainers:
    pytestmark = needs_containers

    def test_words_json_and_templates(self, write_stack):
        stack = write_stack(STACK)
        (stack.folder / "site").mkdir()
        stack.run("up", "-d")
        eventually(
            lambda: "healthy" in stack.run("inspect", "-f", "{{.State.Health.Status}}", "--index", "1", "web").stdout
        )
        eventually(lambda: stack.states()["job"] == "exited")

        shown = stack.run("inspect", "web").stdout
        for word in (
            "stack-web-1: service web, container 1 of stack stack",
            "stack-web-2: service web, container 2 of stack stack",
            "well (exit code 0)",
            "policy on-failure",
            "volume stack_data at /data",
            f"bind {stack.folder}/site at /site (read-only)",
            "tmpfs /scratch",
            "/run/secrets/token (read-only)",
            "memory 64MiB, 0.5 processors, 100 processes",
            "->80/tcp",
            "PASSWORD",
        ):
            assert word in shown
        assert "not-shown" not in shown
        assert "resolv.conf" not in shown

        first, second, job = json.loads(stack.run("inspect", "--format", "json", "web", "job", "stack-web-1").stdout)
        assert (first["Name"], second["Name"], job["Name"]) == ("/stack-web-1", "/stack-web-2", "/stack-job-1")
        assert (first["Path"], first["Args"]) == ("sleep", ["infinity"])
        state = first["State"]
        assert (state["Status"], state["Running"], state["ExitCode"]) == ("running", True, 0)
        os.kill(state["Pid"], 0)
        probe = state["Health"]["Log"][-1]
        assert (probe["ExitCode"], probe["Output"]) == (0, "well\n")
        assert state["StartedAt"] < probe["Start"] < probe["End"]
        assert {mount["Destination"]: mount["Type"] for mount in first["Mounts"]} == {
            "/data": "volume",
            "/anonymous": "volume",
            "/site": "bind",
            "/scratch": "tmpfs",
            "/run/secrets/token": "bind",
        }
        assert [mount["Destination"] for mount in first["Mounts"] if not mount["RW"]] == ["/site", "/run/secrets/token"]
        assert "PASSWORD=not-shown" in first["Config"]["Env"]
        host = first["HostConfig"]
        assert (host["Memory"], host["NanoCpus"], host["PidsLimit"]) == (64 << 20, 500_000_000, 100)
        assert host["RestartPolicy"] == {"Name": "on-failure", "MaximumRetryCount": 3}
        ((port,),) = first["NetworkSettings"]["Ports"].values()
        assert stack.run("port", "web", "80").stdout == f"{port['HostIp']}:{port['HostPort']}\n"
        assert set(first["NetworkSettings"]["Networks"]) == {"stack_default"}
        assert job["State"]["ExitCode"] == 137
        assert not job["State"]["Running"]

        line = "{{.State.Status}} {{.Config.Labels}}"
        assert stack.run("inspect", "-f", line, "job").stdout.startswith("exited map[com.docker.compose.")
        for words, message in (
            (("idle",), 'service "idle" has no container'),
            (("--index", "3", "web"), 'service "web" has no container 3'),
            (("wbe",), "did you mean web?"),
            (("-f", "{{.Stat}}", "web"), "did you mean .State?"),
            (("-f", "yaml", "web"), "there is no such format"),
        ):
            assert message in stack.run("inspect", *words, code=1).stderr
        partly = stack.run("inspect", "-f", "{{.Name}}", "nix", "job", code=1)
        assert partly.stdout == "/stack-job-1\n"
