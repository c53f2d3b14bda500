"""``orchestra test``: scenarios on real containers and in memory, and what is reported of them."""

from __future__ import annotations

import json
from xml.etree import ElementTree

from tests.examples.conftest import needs_containers

pytestmark = needs_containers

STACK = """
services:
  web:
    image: "rootfs:BUSYBOX"
    command: sh -c 'echo hello > /tmp/index.html; echo ready; exec httpd -f -p 80 -h /tmp'
    init: true
    ports: ["80"]
    restart: always
"""
SCENARIOS = """
scenarios:
  all goes well:
    steps:
      - http: {service: web, port: 80, body: hel+o}
      - tcp: {service: web, port: 80}
      - exec: {service: web, command: cat /tmp/index.html, output: hello}
      - kill: {part: shim, service: web}
      - kill: {part: fork-server}
      - pause: web
      - expect: {state: {web: paused}}
      - unpause: all
      - crash: web
      - expect: {containers: {web: 1}, state: {web: running}, log: {web: ready}}
        during: 200ms
      - stop: web
      - expect: {state: {web: exited}}
      - up: all
      - kill: web
      - expect: {exit_code: {web: 137}}
  the page is missing:
    steps:
      - http: {service: web, port: 80, path: /none}
        within: 100ms
      - stop: web
  in a big disk:
    steps:
      - fill: {service: web, path: /}
"""
IN_MEMORY = """
scenarios:
  containers are scaled and stopped:
    steps:
      - scale: {web: 3}
      - expect: {containers: {web: 3}, state: {web: running}}
      - stop: web
      - expect: {state: {web: exited}}
  the page answers:
    steps:
      - http: {service: web, port: 80}
  it ends:
    steps:
      - expect: {state: {web: exited}}
        within: 100ms
"""


def left(stack):
    """Stacks that have left anything."""
    return [path.name for place in ("run/stacks", "data/stacks") for path in (stack.home / place).glob("*")]


def test_scenarios_pass_or_fail_on_containers_and_are_reported(write_stack):
    stack = write_stack(STACK, files={"shop.scenario.yaml": SCENARIOS})
    file, report = str(stack.folder / "shop.scenario.yaml"), stack.folder / "report.xml"
    told = stack.run("test", "--junit", str(report), file, code=1, seconds=100).stdout
    assert f"{file}: all goes well passed" in told, told
    failed = told[told.index("the page is missing FAILED") :].splitlines()
    assert failed[1:3] == [
        "    http service: web, port: 80, path: /none within 100ms",
        "    error: status 404, not 200",
    ]
    assert failed[3].endswith("-web-1 | ready")
    assert "error: / of" in told
    assert "is on a file system of more than 1 GiB" in told
    assert "1 passed, 2 failed in" in told
    suite = ElementTree.parse(report).getroot()[0]
    assert (suite.get("tests"), suite.get("failures"), suite.get("skipped")) == ("3", "2", "0")
    assert [case.find("failure") is not None for case in suite] == [False, True, True]
    assert suite[1].find("failure").get("message") == "status 404, not 200"
    assert suite[1].find("system-out").text.endswith("| ready")
    assert left(stack) == []


def test_scenarios_run_in_memory_and_those_that_need_containers_are_skipped(write_stack):
    stack = write_stack(STACK, files={"shop.scenario.yaml": IN_MEMORY})
    file = str(stack.folder / "shop.scenario.yaml")
    told = stack.run("--driver", "fake", "test", "--format", "json", file, code=1).stdout
    results = {each["scenario"]: each for each in json.loads(told)}
    assert {name: each["outcome"] for name, each in results.items()} == {
        "containers are scaled and stopped": "passed",
        "the page answers": "skipped",
        "it ends": "failed",
    }
    assert results["the page answers"]["reason"] == "the driver fake has no networks"
    assert results["it ends"]["reason"].endswith("-web-1 is running")
    assert left(stack) == []
    assert "1 skipped in" in stack.run("--driver", "fake", "test", "-k", "page", file).stdout
    assert "no scenario has 'nothing' in its name" in stack.run("test", "-k", "nothing", file, code=1).stderr


def test_the_example_bears_trouble(stack):
    guestbook = stack("guestbook")
    files = [str(guestbook.folder / name) for name in ("in-memory.yaml", "guestbook.scenario.yaml")]
    assert "1 passed in" in guestbook.run("-f", files[0], "test", files[1], seconds=110).stdout
