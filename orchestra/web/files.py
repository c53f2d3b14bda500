"""The files that the page is made of, read once: no path of a request ever reaches the file system."""

from __future__ import annotations

import os
from hashlib import sha256
from http import HTTPStatus
from typing import TYPE_CHECKING

from starlette.responses import Response

from orchestra.record import Record

if TYPE_CHECKING:
    from starlette.requests import Request

DIRECTORY = os.path.join(os.path.dirname(os.path.abspath(__file__)), "static")
TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".mjs": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}


class File(Record):
    content: bytes
    type: str
    tag: str

    def respond(self, request: Request, status: HTTPStatus = HTTPStatus.OK) -> Response:
        """The browser may keep it, but asks each time whether it is still the same."""
        headers = {"ETag": self.tag, "Cache-Control": "no-cache"}
        if status is HTTPStatus.OK and request.headers.get("if-none-match") == self.tag:
            return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
        return Response(self.content, status, headers, self.type)


def load_files() -> dict[str, File]:
    """By their paths in the folder. Files of other types, such as licences, are not part of the page."""
    found: dict[str, File] = {}
    for directory, _, names in os.walk(DIRECTORY):
        for name in names:
            kind = TYPES.get(os.path.splitext(name)[1])
            if kind is None:
                continue
            path = os.path.join(directory, name)
            with open(path, "rb") as file:
                content = file.read()
            found[os.path.relpath(path, DIRECTORY)] = File(content, kind, f'"{sha256(content).hexdigest()[:24]}"')
    return found
