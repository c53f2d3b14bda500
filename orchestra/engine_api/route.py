"""How a request finds its handler: rows of the routing table, and the match of a path. Pure."""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import parse_qs, unquote, urlsplit

from orchestra.engine_api.errors import ApiError, bad_request, not_found
from orchestra.engine_api.exchange import NEWEST, OLDEST, Request

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from orchestra.engine_api.exchange import Exchange
    from orchestra.engine_api.world import World

    Handler = Callable[[World, Exchange], None]

_VERSION = re.compile(r"/v([0-9]{1,4})\.([0-9]{1,4})(?=/|$)")
_PARAMETER = re.compile(r"\{(\w+)(:path)?\}")


class Route(NamedTuple):
    """pattern: a path with ``{name}`` for one part, and ``{name:path}`` for several. writes: it changes something.

    summary: for the documentation.
    """

    method: str
    pattern: str
    handler: Handler
    summary: str
    writes: bool = False

    @property
    def is_of_container(self) -> bool:
        """Whether it is about one container, which the client has to see."""
        return self.pattern.startswith(("/containers/{name}", "/exec/{id}"))


class Table:
    """Answers which route a request takes."""

    def __init__(self, routes: Iterable[Route]) -> None:
        self._routes = [(_compile(route.pattern), route) for route in routes]

    def find(self, method: str, path: str) -> tuple[Route, Mapping[str, str]]:
        """Raises ApiError with 404 for an unknown path, and 405 for one that takes another method."""
        others = False
        for pattern, route in self._routes:
            found = pattern.fullmatch(path)
            if found is None:
                continue
            if route.method == method:
                return route, found.groupdict()
            others = True
        if others:
            raise ApiError(HTTPStatus.METHOD_NOT_ALLOWED, f"{path} does not take {method}")
        raise not_found(f"page not found: this engine has no endpoint {method} {path}")


def read_request(method: str, target: str, headers: Sequence[tuple[bytes, bytes]]) -> Request:
    """Raises ApiError for a version that is not supported, and for a path that cannot be one."""
    try:
        parts = urlsplit(target if target.startswith("/") else f"/{target}")
        queries = parse_qs(parts.query, keep_blank_values=True, max_num_fields=1000)
    except ValueError as error:
        raise bad_request(f"the path cannot be read: {error}") from error
    path, version = parts.path, NEWEST
    if found := _VERSION.match(path):
        version, path = (int(found[1]), int(found[2])), path[found.end() :] or "/"
        shown = f"{version[0]}.{version[1]}"
        if version > NEWEST:
            raise bad_request(f"client version {shown} is too new. Maximum supported API version is {_dotted(NEWEST)}")
        if version < OLDEST:
            raise bad_request(
                f"client version {shown} is too old. Minimum supported API version is {_dotted(OLDEST)}, "
                "please upgrade your client to a newer version"
            )
    path = unquote(path, errors="surrogateescape")
    if "\0" in path:
        raise bad_request("the path has a zero byte in it")
    named = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in headers}
    return Request(method, path, {key: values[-1] for key, values in queries.items()}, queries, named, version)


def _dotted(version: tuple[int, int]) -> str:
    return f"{version[0]}.{version[1]}"


def _compile(pattern: str) -> re.Pattern[str]:
    text, end = "", 0
    for found in _PARAMETER.finditer(pattern):
        text += re.escape(pattern[end : found.start()])
        text += f"(?P<{found[1]}>{'.+' if found[2] else '[^/]+'})"
        end = found.end()
    return re.compile(text + re.escape(pattern[end:]), re.DOTALL)
