"""The table of routes as an application that a server runs."""

from __future__ import annotations

import json
import sys
import traceback
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, assert_never

import anyio.to_thread
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse
from starlette.routing import Route as HttpRoute
from starlette.routing import WebSocketRoute

from orchestra.web.errors import Refusal, explain, status_of
from orchestra.web.files import load_files
from orchestra.web.guard import WRITE_KEY, Guard, check_reader, check_writer, session_of
from orchestra.web.routes import Read, Stream, Terminal, Write, make_routes

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.types import ASGIApp
    from starlette.websockets import WebSocket

    from orchestra.web.desk import Desk
    from orchestra.web.routes import Route

    Endpoint = Callable[[Request], Awaitable[Response]]

LONGEST_BODY = 65536
FOREIGN = 1008
"""Code of a socket that is refused, RFC 6455: policy violation."""


def make_application(desk: Desk) -> ASGIApp:
    routes = [_route(desk, each) for each in make_routes()]
    application = Starlette(routes=[*_own_routes(desk), *routes])
    return Guard(application, desk)


def _own_routes(desk: Desk) -> list[HttpRoute]:
    files = load_files()

    async def page(request: Request) -> Response:
        """A token becomes a session, and leaves the address: that is seen, remembered and sent on."""
        token = request.query_params.get("token")
        if token is not None:
            role = desk.keys.role_of_token(token)
            if role is None:
                return files["refused.html"].respond(request, HTTPStatus.FORBIDDEN)
            response = RedirectResponse("./", HTTPStatus.SEE_OTHER)
            session = desk.keys.open_session(role)
            response.set_cookie(desk.door.cookie, session, httponly=True, samesite="strict", secure=desk.door.is_secure)
            return response
        if desk.keys.role_of_session(session_of(desk, request)) is None:
            return files["refused.html"].respond(request, HTTPStatus.UNAUTHORIZED)
        return files["index.html"].respond(request)

    async def session(request: Request) -> Response:
        """What the page needs to know of itself."""
        role = check_reader(desk, request)
        may_write = role.may_write and not desk.read_only
        key = desk.keys.write_key(session_of(desk, request)) if may_write else ""
        return JSONResponse({"stack": desk.stack, "role": role, "writes": may_write, "key": key})

    async def static(request: Request) -> Response:
        found = files.get(request.path_params["path"])
        if found is None:
            raise Refusal(HTTPStatus.NOT_FOUND, "no such file")
        return found.respond(request)

    async def favicon(_request: Request) -> Response:
        return PlainTextResponse("", HTTPStatus.NO_CONTENT)

    return [
        HttpRoute("/", guarded(page)),
        HttpRoute("/favicon.ico", favicon),
        HttpRoute("/api/session", guarded(session)),
        HttpRoute("/static/{path:path}", guarded(static)),
    ]


def _route(desk: Desk, route: Route) -> HttpRoute | WebSocketRoute:
    match route:
        case Read(path, answer):

            async def read(request: Request) -> Response:
                check_reader(desk, request)
                given = {**request.query_params, **request.path_params}
                return JSONResponse(await anyio.to_thread.run_sync(answer, desk, given))

            return HttpRoute(path, guarded(read))
        case Write(path, answer):

            async def write(request: Request) -> Response:
                check_writer(desk, request, request.headers.get(WRITE_KEY, ""))
                body = await _read_body(request)
                try:
                    return JSONResponse(await anyio.to_thread.run_sync(answer, desk, body))
                finally:
                    desk.look()

            return HttpRoute(path, guarded(write), methods=["POST"])
        case Stream(path, begin):

            async def stream(request: Request) -> Response:
                check_reader(desk, request)
                query = request.query_params
                return await begin(desk, {name: query.getlist(name) for name in query})

            return HttpRoute(path, guarded(stream), methods=["GET"])
        case Terminal(path, serve):

            async def terminal(socket: WebSocket) -> None:
                try:
                    check_writer(desk, socket, socket.query_params.get("key", ""))
                except Refusal:
                    await socket.close(FOREIGN)
                    return
                await serve(desk, socket, {**socket.query_params, **socket.path_params})

            return WebSocketRoute(path, terminal)
        case _:
            assert_never(route)


def guarded(endpoint: Endpoint) -> Endpoint:
    """Answers with JSON for whatever goes wrong: the server lives on, and the client is told."""

    async def answer(request: Request) -> Response:
        try:
            return await endpoint(request)
        except ClientDisconnect:
            raise
        except Exception as error:  # the client is the caller here
            status = status_of(error)
            if status is HTTPStatus.INTERNAL_SERVER_ERROR:
                traceback.print_exception(error, file=sys.stderr)
            return JSONResponse(explain(error), status)

    return answer


async def _read_body(request: Request) -> dict[str, Any]:
    """Raises Refusal for what is no JSON object of a sensible size."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise Refusal(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "expected application/json")
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > LONGEST_BODY:
            raise Refusal(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"at most {LONGEST_BODY} bytes")
    try:
        found = json.loads(body or b"{}")
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise Refusal(HTTPStatus.BAD_REQUEST, "expected an object in JSON")
    return found
