"""The installed command with a real stack: what changes is told, what is asked for is done, and nothing ends it."""

from __future__ import annotations

import json
import os
import random
import signal
import socket
from contextlib import ExitStack, suppress

import pytest

from tests.examples.conftest import needs_containers
from tests.examples.test_survival import greeting
from tests.web.conftest import SHOP, Visitor, serving

pytestmark = needs_containers
LISTENERS = 100


def states(events):
    """Of containers by name, one after another."""
    for topic, data in events:
        if topic == "state":
            yield {each["name"]: each["word"] for each in data["containers"]}, data


def await_state(events, wanted):
    return next(data for found, data in states(events) if wanted(found, data))


def test_a_page_is_told_what_there_is_and_what_changes(served):
    visitor = served.visitor()
    with visitor.stream("/api/live") as events:
        await_state(events, lambda found, _data: found.get("shop-web-1") == "running")
        visitor.post("/api/stop", {"services": ["web"]})
        await_state(events, lambda found, _data: found["shop-web-1"].startswith("exited"))
        visitor.post("/api/start", {"services": ["web"]})
        await_state(events, lambda found, _data: found["shop-web-1"] == "running")
        used = (data["containers"].get("shop-web-1") for topic, data in events if topic == "usage")
        assert next(memory for _processor, memory, *_rest in filter(None, used)) > 0
    told = [f"{each['what']} {each['subject']}" for each in visitor.get("/api/events")["events"]]
    assert "stop done container/shop-web-1" in told


def test_the_graph_and_the_details_are_those_of_the_stack_without_its_secrets(served):
    viewer = served.visitor("viewer")
    assert [edge["target"] for edge in viewer.get("/api/graph")["edges"]] == ["db"]
    status, _headers, body = viewer.ask("GET", "/api/containers/shop-db-1")
    assert status == 200
    assert b"hunter22" not in body
    variables = dict(json.loads(body)["environment"])
    assert variables["DB_NAME"] == "shop"
    assert viewer.get("/api/timeline")["segments"]


def test_a_plan_is_applied_once_and_only_as_it_was_looked_at(served):
    operator = served.visitor()
    served.stack.write(SHOP.replace('"sleep 10000"', '"echo changed; sleep 10000"'))
    plan = operator.get("/api/plan")
    assert {each["resource"] for actions in plan["rounds"] for each in actions} == {"container/shop-talker-1"}
    operator.post("/api/stop", {"services": ["talker"]})
    assert "is not as it was" in operator.post("/api/apply", {"plan": plan["plan"]}, 409)["error"]
    plan = operator.get("/api/plan")
    assert operator.post("/api/apply", {"plan": plan["plan"]}) == {"failures": []}
    assert operator.get("/api/plan")["rounds"] == []
    operator.post("/api/apply", {"plan": plan["plan"]}, 409)

    revisions = operator.get("/api/history")["revisions"]
    assert revisions[0]["command"] == "web: apply"
    changes = operator.get(f"/api/history/{revisions[0]['number']}")["differences"][0]["changes"]
    assert changes[0]["path"] == "command"
    operator.post("/api/rollback", {"revision": revisions[1]["number"]})
    served.stack.write(SHOP)
    assert operator.get("/api/plan")["rounds"] == []


def test_a_service_is_scaled(served):
    operator = served.visitor()
    operator.post("/api/scale", {"service": "talker", "number": 2})
    with operator.stream("/api/live") as events:
        await_state(events, lambda found, _data: found.get("shop-talker-2") == "running")
    operator.post("/api/scale", {"service": "talker", "number": 1})


def test_lines_come_as_they_are_written(served):
    with served.visitor("viewer").stream("/api/logs?service=db&tail=10") as events:
        topic, rows = next(events)
        assert topic == "lines"
        assert ["shop-db-1", "stdout", "ready"] in [[row[0], row[2], row[3]] for row in rows]
        served.stack.run("exec", "-T", "db", "sh", "-c", "echo and more >>/lines")
        assert any(row[3] == "and more" for _topic, rows in events for row in rows)


def test_a_page_goes_on_when_the_supervisor_is_killed(served):
    run = served.stack.home / "run/stacks/shop"
    with served.visitor("viewer").stream("/api/live") as events:
        await_state(events, lambda _found, data: data["supervised"])
        os.kill(greeting(run)["supervisor"], signal.SIGKILL)
        served.stack.run("stop", "-t", "0", "web")
        await_state(events, lambda found, data: found["shop-web-1"].startswith("exited") and data["supervised"])
        served.stack.run("start", "web")
        await_state(events, lambda found, _data: found["shop-web-1"] == "running")


def test_a_stack_that_goes_down_and_comes_again_is_followed_and_its_page_starts_no_supervisor(served):
    run = served.stack.home / "run/stacks/shop"
    with served.visitor("viewer").stream("/api/live") as events:
        await_state(events, lambda found, _data: found)
        served.stack.run("down", "-t", "0")
        await_state(events, lambda found, data: not found and not data["supervised"])
        assert not (run / "control.sock").exists()
        served.stack.run("up", "-d")
        await_state(events, lambda found, data: set(found.values()) == {"running"} and data["supervised"])


def test_one_of_a_hundred_listeners_does_not_read_and_the_others_hear_everything(served):
    visitor = served.visitor("viewer")
    with ExitStack() as ending:
        slow = ending.enter_context(socket.create_connection(("127.0.0.1", served.port)))
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1024)
        own = f"Host: 127.0.0.1:{served.port}\r\nCookie: {visitor.cookie}\r\n"
        slow.sendall(f"GET /api/live HTTP/1.1\r\n{own}\r\n".encode())
        listeners = [ending.enter_context(visitor.stream("/api/live")) for _ in range(LISTENERS)]
        served.stack.run("stop", "-t", "0", "web")
        for events in listeners:
            await_state(events, lambda found, _data: found["shop-web-1"].startswith("exited"))
        served.stack.run("start", "web")
        for events in listeners:
            await_state(events, lambda found, _data: found["shop-web-1"] == "running")


def test_nothing_that_is_sent_ends_it(served):
    generator = random.Random(7)
    visitor = served.visitor("operator")
    host = f"Host: 127.0.0.1:{served.port}\r\nCookie: {visitor.cookie}\r\n".encode()
    upgrade = b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    upgrade += b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
    origin = f"Origin: http://127.0.0.1:{served.port}\r\n".encode()
    terminal = f"GET /api/terminal/db?key={visitor.key} HTTP/1.1\r\n".encode()
    beginnings = [
        b"", b"GET / HTTP/1.1\r\n", b"GET /api/logs?service=%ff&tail=9 HTTP/1.1\r\n" + host + b"\r\n",
        b"POST /api/stop HTTP/1.1\r\n" + host + b"Transfer-Encoding: chunked\r\n\r\n",
        b"POST /api/stop HTTP/1.1\r\n" + host + b"Content-Length: 99999999999999999999\r\n\r\n",
        b"GET /api/containers/%2e%2e%2f HTTP/1.1\r\n" + host + b"\r\n",
        terminal + host + upgrade + origin + b"\r\n", terminal + host + upgrade + b"\r\n",
    ]  # fmt: skip
    for _ in range(150):
        with socket.create_connection(("127.0.0.1", served.port), timeout=30) as client:
            client.sendall(generator.choice(beginnings) + generator.randbytes(generator.randrange(200)))
            if generator.random() < 0.3:
                with suppress(OSError):  # it may have hung up already
                    client.shutdown(socket.SHUT_WR)
                    client.recv(65536)
    assert served.process.poll() is None
    assert visitor.get("/api/session")["stack"] == "shop"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_with_its_open_answers(shop, number):
    with serving(shop) as served, ExitStack() as ending:
        visitor = served.visitor()
        live = ending.enter_context(visitor.stream("/api/live"))
        logs = ending.enter_context(visitor.stream("/api/logs"))
        next(live)
        next(logs)
        served.process.send_signal(number)
        assert served.process.wait(60) == 0
        list(live)
        list(logs)


def test_a_read_only_page_has_no_address_for_operators(shop):
    with serving(shop, "--read-only") as served:
        assert set(served.tokens) == {"viewer"}
        assert served.visitor("viewer").get("/api/session")["writes"] is False


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--listen", "0.0.0.0:0"], "other machines could connect"),
        (["--listen", "0.0.0.0:0", "--allow-remote"], "no name that a browser can ask for"),
        (["--listen", "nonsense"], "expected ADDRESS:PORT"),
        (["--url", "nonsense"], "expected an address such as"),
    ],
)
def test_it_does_not_open_itself_to_others_by_mistake(shop, options, said):
    assert said in shop.run("web", *options, code=1).stderr


def test_two_cannot_listen_at_one_place(served):
    process = served.stack.run("web", "--listen", f"127.0.0.1:{served.port}", code=None)
    assert process.returncode != 0
    assert "cannot listen on" in process.stderr


def test_a_stranger_sees_nothing_of_the_stack(served):
    status, _headers, body = Visitor(served.port).ask("GET", "/")
    assert status == 401
    assert b"shop" not in body
