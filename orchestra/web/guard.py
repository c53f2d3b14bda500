"""What every request has to pass before a handler sees it, and what every answer carries."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from starlette.datastructures import MutableHeaders
from starlette.responses import PlainTextResponse

from orchestra.web.errors import Refusal

if TYPE_CHECKING:
    from starlette.requests import HTTPConnection
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from orchestra.web.access import Role
    from orchestra.web.desk import Desk

POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "connect-src 'self'",
        "img-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
WRITE_KEY = "X-Orchestra-Key"


class Guard:
    """Around the whole application: refuses foreign names of this server, and sets the headers of every answer."""

    def __init__(self, application: ASGIApp, desk: Desk) -> None:
        self._application = application
        self._desk = desk

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        hosts = [value.decode("latin-1") for name, value in scope["headers"] if name == b"host"]

        async def send_guarded(message: Message) -> None:
            if message["type"] in ("http.response.start", "websocket.http.response.start"):
                headers = MutableHeaders(scope=message)
                headers.setdefault("Cache-Control", "no-store")
                for name, value in HEADERS.items():
                    headers[name] = value
            await send(message)

        if len(hosts) == 1 and self._desk.door.admits(hosts[0]):
            await self._application(scope, receive, send_guarded)
            return
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
            return
        refused = PlainTextResponse("this server is not asked for by that name\n", HTTPStatus.MISDIRECTED_REQUEST)
        await refused(scope, receive, send_guarded)


def session_of(desk: Desk, request: HTTPConnection) -> str:
    return request.cookies.get(desk.door.cookie, "")


def check_reader(desk: Desk, request: HTTPConnection) -> Role:
    """Raises Refusal for a request without a session."""
    role = desk.keys.role_of_session(session_of(desk, request))
    if role is None:
        raise Refusal(HTTPStatus.UNAUTHORIZED, "no session", "open the address that orchestra web has printed")
    return role


def check_writer(desk: Desk, request: HTTPConnection, key: str) -> None:
    """Raises Refusal unless an operator's own page sends this. key: as the request has it."""
    role = check_reader(desk, request)
    if not desk.door.is_own(request.headers.get("origin", "")):
        raise Refusal(HTTPStatus.FORBIDDEN, "the request is from a page of another site")
    if not desk.keys.is_write_key(session_of(desk, request), key):
        raise Refusal(HTTPStatus.FORBIDDEN, "the request has no valid write key", "reload the page")
    if desk.read_only:
        raise Refusal(HTTPStatus.FORBIDDEN, "this page is read-only", "run orchestra web without --read-only")
    if not role.may_write:
        raise Refusal(HTTPStatus.FORBIDDEN, "a viewer cannot change anything", "open the address for operators")
