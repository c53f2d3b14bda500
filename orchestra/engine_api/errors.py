"""How a request fails: a status and a sentence (Engine API, ``ErrorResponse``)."""

from __future__ import annotations

from http import HTTPStatus


class ApiError(Exception):
    """Answered as ``{"message": …}``."""

    def __init__(self, status: HTTPStatus, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


def bad_request(message: str) -> ApiError:
    return ApiError(HTTPStatus.BAD_REQUEST, message)


def not_found(message: str) -> ApiError:
    return ApiError(HTTPStatus.NOT_FOUND, message)


def conflict(message: str) -> ApiError:
    return ApiError(HTTPStatus.CONFLICT, message)


def forbidden(message: str) -> ApiError:
    return ApiError(HTTPStatus.FORBIDDEN, message)


def absent(message: str) -> ApiError:
    """What this engine does not have."""
    return ApiError(HTTPStatus.NOT_IMPLEMENTED, message)


class Hangup(Exception):
    """The client is gone: there is no one to answer."""
