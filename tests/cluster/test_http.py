"""Requests that fail: what is tried again, what is not, and what is said of it."""

from __future__ import annotations

import sys

import pytest

from orchestra.cluster.access import Access, Plugin
from orchestra.cluster.api import Api
from orchestra.cluster.http import ATTEMPTS, Http, Refused
from orchestra.cluster.kinds import Key
from orchestra.errors import EnvironmentLack, FatalError, TemporaryError

WEB = Key("Deployment", "web")
NOT_THERE = "GET /apis/apps/v1/namespaces/default/deployments/web"


@pytest.mark.parametrize("status", [0, 429, 500, 502, 503, 504])
def test_what_passes_is_tried_again(server, api, clock, status):
    server.fail(NOT_THERE, status)
    assert api.find(WEB) is None
    assert (len(server.seen), len(clock.waits)) == (2, 1)


def test_a_server_says_how_long_to_wait(server, api, clock):
    server.fail(NOT_THERE, 429, {"Retry-After": "7"})
    api.find(WEB)
    assert clock.waits == [7.0]


def test_a_conflict_of_versions_is_tried_again(server, api, clock):
    server.fail(NOT_THERE, 409, body={"reason": "Conflict", "message": "the object has been modified"})
    assert api.find(WEB) is None


def test_patience_ends(server, api, clock):
    for _ in range(ATTEMPTS):
        server.fail(NOT_THERE, 503)
    with pytest.raises(Refused, match="failed with 503"):
        api.find(WEB)
    for _ in range(ATTEMPTS):
        server.fail(NOT_THERE, 0)
    with pytest.raises(TemporaryError, match="does not answer"):
        api.find(WEB)


def test_a_refusal_is_not_tried_again(server, api, clock):
    server.fail(NOT_THERE, 403, body={"message": "deployments is forbidden"})
    with pytest.raises(Refused, match="deployments is forbidden") as caught:
        api.find(WEB)
    assert "--namespace" in caught.value.hint
    assert clock.waits == []


def test_an_answer_that_is_no_document_is_shown(server, api):
    server.fail(NOT_THERE, 404, body={"message": ""})
    assert api.find(WEB) is None


def test_a_renewed_token_is_read_again(server, url, tmp_path):
    (tmp_path / "token").write_text("old\n")
    server.tokens = {"old"}
    http = Http(Access(url, token_file=str(tmp_path / "token")), {}, lambda _: None)
    assert Api(http, "default").find(WEB) is None
    (tmp_path / "token").write_text("new")
    server.tokens = {"new"}
    assert Api(http, "default").find(WEB) is None
    server.tokens = {"another"}
    with pytest.raises(Refused) as caught:
        Api(http, "default").find(WEB)
    assert "sign in again" in caught.value.hint
    http.close()


def test_a_program_gives_the_token(server, url, tmp_path):
    server.tokens = {"secret"}
    program = "import os, json; told = json.loads(os.environ['KUBERNETES_EXEC_INFO']); print(json.dumps("
    program += (
        "{'kind': 'ExecCredential', 'status': {'token': os.environ['WORD'] if told['spec']['cluster'] else ''}}))"
    )
    plugin = Plugin(sys.executable, ("-c", program), {"WORD": "secret"}, cluster={"server": url})
    http = Http(Access(url, plugin=plugin), {}, lambda _: None)
    assert Api(http, "default").find(WEB) is None
    http.close()


@pytest.mark.parametrize(
    ("command", "arguments", "error", "text"),
    [
        ("/no/such/program", (), EnvironmentLack, "does not start"),
        (sys.executable, ("-c", "raise SystemExit(3)"), FatalError, "ended with code 3"),
        (sys.executable, ("-c", "print('hello')"), FatalError, "no ExecCredential"),
    ],
)
def test_a_program_that_gives_nothing(url, command, arguments, error, text):
    with pytest.raises(error, match=text):
        Api(Http(Access(url, plugin=Plugin(command, arguments)), {}), "default").find(WEB)


def test_long_lists_come_in_pages_and_begin_anew_when_they_have_expired(server, api):
    server.page = 2
    for number in range(5):
        path = f"/apis/apps/v1/namespaces/default/deployments/n{number}"
        labels = {"app.kubernetes.io/part-of": "stack", "app.kubernetes.io/managed-by": "orchestra"}
        server.objects[path] = {"kind": "Deployment", "metadata": {"name": f"n{number}", "labels": labels}}
    listed = "GET /apis/apps/v1/namespaces/default/deployments?"
    assert len(api.of_stack("stack", ("Deployment",))) == 5
    pages = [line for line in server.seen if line.startswith(listed)]
    assert len(pages) == 3
    server.fail(pages[1], 410, body={"reason": "Expired", "message": "the list has expired"})
    assert len(api.of_stack("stack", ("Deployment",))) == 5


def test_a_log_that_is_cut_goes_on_where_it_was(server, api):
    first, second, third = (b"2030-01-01T00:00:0%dZ %s\n" % pair for pair in ((1, b"one"), (2, b"two"), (3, b"three")))
    server.logs["web-1"] = [first + second[:-2], first + second + third]
    assert [line + b"\n" for line in api.log("web-1", follow=True, tail=None)] == [first, second, third]
