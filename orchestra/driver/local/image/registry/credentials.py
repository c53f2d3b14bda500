"""Credentials for registries: from Docker's ``config.json`` with its helpers, and containers-auth.json(5).

Files are read each time they are needed, so a new login takes effect at once.
"""

from __future__ import annotations

import base64
import binascii
import json
import os
import subprocess
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from orchestra.driver.local.image.naming.name import DEFAULT_CREDENTIALS, DEFAULT_HOST
from orchestra.errors import FatalError
from orchestra.model.document import DocumentError, mapping, parse_document, text
from orchestra.regex import regex

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

HELPER_PATIENCE = 30.0
"""Seconds: a helper that asks on a screen without a user must not hang a pull for ever."""
TOKEN_USER = "<token>"
_HELPER = regex(r"[A-Za-z0-9_.-]+")


@dataclass(frozen=True, slots=True)
class Credentials:
    """identity: a refresh token, instead of user and password."""

    user: str = ""
    password: str = field(default="", repr=False)
    identity: str = field(default="", repr=False)


def find_credentials(repository: str, environment: Mapping[str, str]) -> Credentials | None:
    """For ``HOST/PATH``, from the first file that has any. Raises FatalError if a file is invalid."""
    for path in auth_files(environment):
        try:
            with open(path, "rb") as file:
                data = file.read()
        except (FileNotFoundError, NotADirectoryError, PermissionError):
            continue
        try:
            found = _look_up(parse_document(data), repository, environment)
        except DocumentError as error:
            raise FatalError(f"{path}: {error}", hint="correct the file, or log in again") from error
        if found is not None:
            return found
    return None


def stored_credentials(environment: Mapping[str, str]) -> str:
    """A ``config.json`` of everything that is stored in the files themselves; what only helpers know is left out."""
    found: dict[str, Any] = {}
    for path in auth_files(environment):
        with suppress(FileNotFoundError, NotADirectoryError, PermissionError), open(path, "rb") as file:
            try:
                found = {**mapping(parse_document(file.read()), "auths"), **found}
            except DocumentError as error:
                raise FatalError(f"{path}: {error}", hint="correct the file, or log in again") from error
    return json.dumps({"auths": found})


def auth_files(environment: Mapping[str, str]) -> list[str]:
    """In order of precedence: containers-auth.json(5), then Docker's."""
    if chosen := environment.get("REGISTRY_AUTH_FILE"):
        return [chosen]
    home = environment.get("HOME") or os.path.expanduser("~")
    runtime = environment.get("XDG_RUNTIME_DIR") or f"/run/containers/{os.getuid()}"
    settings = environment.get("XDG_CONFIG_HOME") or f"{home}/.config"
    docker = environment.get("DOCKER_CONFIG") or f"{home}/.docker"
    return [f"{runtime}/containers/auth.json", f"{settings}/containers/auth.json", f"{docker}/config.json"]


def _look_up(document: Mapping[str, Any], repository: str, environment: Mapping[str, str]) -> Credentials | None:
    host = repository.partition("/")[0]
    server = DEFAULT_CREDENTIALS if host == DEFAULT_HOST else host
    helpers = mapping(document, "credHelpers")
    if helper := text(helpers, host):
        return _ask(helper, server, environment)
    if (helper := text(document, "credsStore")) and (found := _ask(helper, server, environment)):
        return found
    entries = mapping(document, "auths")
    for key in _keys(repository):
        if key in entries and (found := _decode(mapping(entries, key))):
            return found
    return None


def _keys(repository: str) -> Iterator[str]:
    """The most specific key first, then the host in the forms that tools have used as a key."""
    host = repository.partition("/")[0]
    key = repository
    while "/" in key:
        yield key
        key = key.rpartition("/")[0]
    if host == DEFAULT_HOST:
        yield DEFAULT_CREDENTIALS
    for prefix in ("", "https://", "http://"):
        for suffix in ("", "/", "/v1/", "/v2/"):
            yield f"{prefix}{host}{suffix}"


def _decode(entry: Mapping[str, Any]) -> Credentials | None:
    identity = text(entry, "identitytoken")
    encoded = text(entry, "auth")
    try:
        user, _, password = base64.b64decode(encoded, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        raise DocumentError("an auth is not base64 of USER:PASSWORD") from None
    user, password = user or text(entry, "username"), password.rstrip("\0") or text(entry, "password")
    return Credentials(user, password, identity) if identity or user else None


def _ask(helper: str, server: str, environment: Mapping[str, str]) -> Credentials | None:
    """docker-credential-helpers' protocol: the server on standard input, JSON on standard output."""
    program = f"docker-credential-{helper}"
    if not _HELPER.fullmatch(helper):
        raise DocumentError(f"{helper!r} is not the name of a credential helper")
    try:
        done = subprocess.run(
            [program, "get"],
            input=server.encode(),
            capture_output=True,
            timeout=HELPER_PATIENCE,
            env=dict(environment),
            check=False,
        )
    except FileNotFoundError:
        raise FatalError(f"{program} is not installed", hint="install it, or remove it from config.json") from None
    except subprocess.TimeoutExpired:
        raise FatalError(f"{program} did not answer for {server}", hint="log in again") from None
    if done.returncode != 0:
        said = (done.stdout + done.stderr).decode(errors="replace").strip()
        if "not found" in said:
            return None
        raise FatalError(f"{program} has no credentials for {server}: {said}", hint="log in again")
    try:
        answer = json.loads(done.stdout)
        user, secret = str(answer["Username"]), str(answer["Secret"])
    except (ValueError, KeyError, TypeError):
        raise FatalError(f"{program} gave an invalid answer for {server}", hint="log in again") from None
    return Credentials(identity=secret) if user == TOKEN_USER else Credentials(user, secret)
