"""Errors of a registry as ours (distribution-spec, "Error Codes")."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from orchestra.driver.local.image.registry.http import Trouble
from orchestra.errors import FatalError, TemporaryError
from orchestra.model.document import DocumentError, mappings, parse_document, text

if TYPE_CHECKING:
    from orchestra.driver.local.image.registry.http import Reply
    from orchestra.driver.local.image.registry.places import Place

LIMIT = 1 << 16
LOGIN = "log in with `docker login`, `podman login` or `skopeo login`: their files are used"


class NotFound(FatalError):
    """The registry does not have it."""


def refusal(place: Place, reply: Reply, known: bool) -> FatalError | TemporaryError:
    """known: the request had credentials."""
    said = _said(reply)
    match reply.status:
        case 401 if known:
            return FatalError(
                f"registry {place.host} does not accept the credentials for {place.path}{said}", hint=LOGIN
            )
        case 401:
            hint = f"{LOGIN}; some registries also answer this if the image does not exist"
            return FatalError(f"registry {place.host} requires a login for {place.path}{said}", hint=hint)
        case 403:
            hint = "ask the registry's operators for access" if known else LOGIN
            return FatalError(f"registry {place.host} denies access to {place.path}{said}", hint=hint)
        case 404:
            return NotFound(f"registry {place.host} has no such image{said}", hint="correct the name or the tag")
        case 429:
            wait = reply.header("Retry-After")
            asks = f"; it asks to wait {wait} seconds" if wait.isdigit() else ""
            hint = (
                f"{LOGIN}, since many registries allow more requests after a login; or use a mirror (registries.conf)"
            )
            return TemporaryError(
                f"registry {place.host} has received too many requests from this machine{said}{asks}", hint=hint
            )
        case status if status >= 500:
            return TemporaryError(f"registry {place.host} failed with status {status}{said}", hint="try again later")
        case status:
            return FatalError(f"registry {place.host} answers {status} for {place.path}{said}")


def _said(reply: Reply) -> str:
    """The registry's own message, without anything that could affect a terminal."""
    with contextlib.suppress(Trouble, DocumentError):
        errors = mappings(parse_document(reply.read(LIMIT)), "errors")
        words = [text(error, "message") or text(error, "code") for error in errors[:3]]
        plain = "; ".join("".join(c for c in word[:200] if c.isprintable()) for word in words if word)
        return f": {plain}" if plain else ""
    return ""
