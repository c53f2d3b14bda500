"""Every row of the table of routes is guarded, whatever it does. No stack is needed for that."""

from __future__ import annotations

import pytest
from starlette.testclient import TestClient

from orchestra.home import Home
from orchestra.model.project import Project
from orchestra.stacks.context import Context
from orchestra.web.access import Keys, Role, make_door
from orchestra.web.application import make_application
from orchestra.web.desk import Desk
from orchestra.web.feed import Feed
from orchestra.web.routes import Read, Stream, Terminal, Write, make_routes

PORT = 7070
BASE = f"http://127.0.0.1:{PORT}"
ROUTES = make_routes()
FILE = "services: {web: {image: 'rootfs:/'}}\n"


def path_of(route):
    return route.path.replace("{name}", "shop-web-1").replace("{number}", "1").replace("{service}", "web")


class Client(TestClient):
    """Of an application for a stack that is not up. role: None without a session."""

    def __init__(self, path, role=None, *, read_only=False) -> None:
        (path / "compose.yaml").write_text(FILE)
        project = Project(files=(str(path / "compose.yaml"),), name="shop")
        context = Context(Home(str(path / "data"), str(path / "run")), "local", project, {})
        self.keys = Keys(Role)
        self.desk = Desk(context, "shop", self.keys, make_door("127.0.0.1", PORT), Feed(), read_only=read_only)
        super().__init__(make_application(self.desk), base_url=BASE, follow_redirects=False)
        self.session = ""
        if role is not None:
            self.session = self.keys.open_session(role)
            self.cookies.set("orchestra-7070", self.session)

    @property
    def proof(self):
        return {"Origin": BASE, "X-Orchestra-Key": self.keys.write_key(self.session)}


def test_without_a_session_nothing_is_answered(tmp_path):
    client = Client(tmp_path)
    for route in (each for each in ROUTES if not isinstance(each, Terminal)):
        method = "POST" if isinstance(route, Write) else "GET"
        answer = client.request(method, path_of(route), headers=client.proof)
        assert (route.path, answer.status_code) == (route.path, 401)
        assert answer.json()["error"] == "no session"


@pytest.mark.parametrize(
    ("role", "read_only", "proof"),
    [
        (Role.VIEWER, False, {}),
        (Role.OPERATOR, True, {}),
        (Role.OPERATOR, False, {"Origin": "http://evil.example"}),
        (Role.OPERATOR, False, {"Origin": ""}),
        (Role.OPERATOR, False, {"Origin": "null"}),
        (Role.OPERATOR, False, {"X-Orchestra-Key": ""}),
        (Role.OPERATOR, False, {"X-Orchestra-Key": "é"}),
    ],
    ids=["viewer", "read-only", "foreign origin", "no origin", "opaque origin", "no key", "strange key"],
)
def test_no_write_gets_past_the_guard(role, read_only, proof, tmp_path):
    client = Client(tmp_path, role, read_only=read_only)
    headers = {name: value.encode() for name, value in (client.proof | proof).items()}
    for route in (each for each in ROUTES if isinstance(each, Write)):
        answer = client.post(path_of(route), json={}, headers=headers)
        assert (route.path, answer.status_code) == (route.path, 403), answer.text


@pytest.mark.parametrize("change", ["none", "viewer", "read-only", "foreign", "no key"])
def test_no_terminal_gets_past_the_guard(change, tmp_path):
    role = {"none": None, "viewer": Role.VIEWER}.get(change, Role.OPERATOR)
    client = Client(tmp_path, role, read_only=change == "read-only")
    origin = "http://evil.example" if change == "foreign" else BASE
    key = "" if change == "no key" else client.keys.write_key(client.session)
    with (
        pytest.raises(Exception) as refused,  # noqa: PT011 - the client's own class of it is what is asked for below
        client.websocket_connect(
            f"/api/terminal/web?key={key}", headers={"Origin": origin, "Host": f"127.0.0.1:{PORT}"}
        ),
    ):
        pass
    assert refused.value.code == 1008


@pytest.mark.parametrize("host", ["evil.example:7070", "127.0.0.1", "", "127.0.0.1:7070.evil.example"])
def test_a_foreign_name_is_refused_everywhere(host, tmp_path):
    client = Client(tmp_path, Role.OPERATOR)
    for path in ("/", "/static/page.js", "/api/session", *map(path_of, ROUTES)):
        answer = client.get(path, headers={"Host": host})
        assert (path, answer.status_code) == (path, 421)
        assert "shop" not in answer.text


@pytest.mark.parametrize("path", ["/", "/static/page.js", "/api/session", "/api/nothing", "/api/graph"])
def test_every_answer_carries_the_policy_and_is_not_kept(path, tmp_path):
    answer = Client(tmp_path, Role.VIEWER).get(path)
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["cache-control"] == ("no-cache" if path in ("/", "/static/page.js") else "no-store")


def test_a_token_becomes_a_cookie_that_scripts_and_other_sites_do_not_get(tmp_path):
    client = Client(tmp_path)
    answer = client.get("/", params={"token": client.keys.tokens[Role.VIEWER]})
    assert (answer.status_code, answer.headers["location"]) == (303, "./")
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert client.get("/").status_code == 200
    assert client.get("/api/session").json() == {"stack": "shop", "role": "viewer", "writes": False, "key": ""}


def test_a_wrong_token_opens_nothing(tmp_path):
    client = Client(tmp_path)
    assert client.get("/", params={"token": "x"}).status_code == 403
    assert client.get("/").status_code == 401


def test_a_read_only_page_has_no_key_even_for_operators(tmp_path):
    assert Client(tmp_path, Role.OPERATOR, read_only=True).get("/api/session").json()["key"] == ""


@pytest.mark.parametrize(
    "path", ["/static/../serve.py", "/static/%2e%2e/serve.py", "/static//etc/passwd", "/static/xterm/LICENSE"]
)
def test_only_the_files_of_the_page_are_served(path, tmp_path):
    assert Client(tmp_path).get(f"/static/{path}").status_code == 404


def test_files_of_the_page_are_asked_for_again_but_not_sent_again(tmp_path):
    client = Client(tmp_path)
    tag = client.get("/static/page.js").headers["etag"]
    assert client.get("/static/page.js", headers={"If-None-Match": tag}).status_code == 304


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/api/history/x", 400),
        ("/api/history/999999999999", 400),
        ("/api/events?since=x", 400),
        ("/api/timeline?since=inf", 400),
        ("/api/containers/nothing", 409),
        ("/api/logs?tail=-1", 400),
        ("/api/logs?service=nothing", 409),
    ],
)
def test_wrong_questions_are_errors_with_words(path, status, tmp_path):
    answer = Client(tmp_path, Role.VIEWER).get(path)
    assert answer.status_code == status, answer.text
    assert answer.json()["error"]


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/api/stop", b"[]", 400),
        ("/api/stop", b"{", 400),
        ("/api/stop", b"[" * 60000, 400),
        ("/api/stop", b" " * 70000, 413),
        ("/api/stop", b'{"services": "web"}', 400),
        ("/api/scale", b'{"service": "web", "number": -1}', 400),
        ("/api/scale", b'{"service": "web", "number": true}', 400),
        ("/api/scale", b'{"service": "web", "number": 100000}', 400),
        ("/api/scale", b'{"number": 1}', 400),
        ("/api/apply", b'{"plan": "x"}', 409),
        ("/api/rollback", b"{}", 400),
    ],
)
def test_wrong_bodies_are_refused_before_anything_is_done(path, body, status, tmp_path):
    client = Client(tmp_path, Role.OPERATOR)
    answer = client.post(path, content=body, headers=client.proof | {"Content-Type": "application/json"})
    assert answer.status_code == status, answer.text


def test_a_form_of_another_site_cannot_be_a_write(tmp_path):
    client = Client(tmp_path, Role.OPERATOR)
    assert (
        client.post("/api/stop", content=b"{}", headers=client.proof | {"Content-Type": "text/plain"}).status_code
        == 415
    )


def test_reads_work_without_anything_being_up(tmp_path):
    client = Client(tmp_path, Role.VIEWER)
    assert client.get("/api/graph").json()["nodes"] == [{"name": "web", "layer": 0}]
    assert client.get("/api/events").json() == {"events": []}
    assert client.get("/api/history").json() == {"revisions": []}


def test_the_table_has_nothing_but_its_four_kinds():
    assert {type(route) for route in ROUTES} == {Read, Write, Stream, Terminal}
    assert len({route.path for route in ROUTES}) == len(ROUTES)
