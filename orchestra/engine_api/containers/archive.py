"""``/containers/{id}/archive`` and ``export``: files of a container as tar archives, and ``POST /commit``."""

from __future__ import annotations

import base64
import json
import os
import posixpath
import stat
from contextlib import contextmanager
from http import HTTPStatus
from typing import TYPE_CHECKING

from orchestra.driver.local.copying.place import Inside
from orchestra.driver.local.copying.root import opened_root
from orchestra.driver.local.copying.transfer import Rules, copy_in, copy_out, export_root
from orchestra.engine_api.errors import bad_request, not_found
from orchestra.engine_api.exchange import TAR
from orchestra.linux.mounts.resolve import open_in_root
from orchestra.model.log import render_moment

if TYPE_CHECKING:
    from collections.abc import Iterator

    from orchestra.engine_api.exchange import Exchange
    from orchestra.engine_api.world import Found, World

STATUS = "X-Docker-Container-Path-Stat"
NANOSECONDS = 1_000_000_000
# Go's os.FileMode: its own bits for what stat(2) says in others.
KINDS = {
    stat.S_IFDIR: 1 << 31,
    stat.S_IFLNK: 1 << 27,
    stat.S_IFBLK: 1 << 26,
    stat.S_IFIFO: 1 << 25,
    stat.S_IFSOCK: 1 << 24,
    stat.S_IFCHR: 1 << 26 | 1 << 21,
}
MODES = {stat.S_ISUID: 1 << 23, stat.S_ISGID: 1 << 22, stat.S_ISVTX: 1 << 20}


def stat_path(world: World, exchange: Exchange) -> None:
    found, path = _subject(world, exchange)
    exchange.empty(HTTPStatus.OK, [(STATUS, _status(found, path)), ("Content-Length", "0")])


def get_archive(world: World, exchange: Exchange) -> None:
    found, path = _subject(world, exchange)
    status = _status(found, path)
    with exchange.stream(TAR, [(STATUS, status)]) as writer:
        rules = Rules(archive=True, follow_link=False, directory="/")
        copy_out(found.name, found.directory, path, writer, rules, lambda _: None)


def put_archive(world: World, exchange: Exchange) -> None:
    found, path = _subject(world, exchange)
    with _opened(found, path) as fd:
        if not stat.S_ISDIR(os.fstat(fd).st_mode):
            raise bad_request("extraction point is not a directory")
    rules = Rules(archive=True, follow_link=True, directory="/")
    copy_in({found.name: found.directory}, exchange.archive(), path, rules, lambda _: None)
    exchange.empty(HTTPStatus.OK, [("Content-Length", "0")])


def export(world: World, exchange: Exchange) -> None:
    found = world.find(exchange.parameters["name"])
    world.events.tell_of(found, "export")
    with exchange.stream(TAR) as writer:
        export_root(found.directory, writer)


def commit(world: World, exchange: Exchange) -> None:
    from orchestra.driver.local.copying.commit import Commit, commit_container
    from orchestra.engine_api.images.names import full_name

    query = exchange.request.query
    found = world.find(query.get("container", ""))
    exchange.document()
    repository, tag = query.get("repo", ""), query.get("tag", "")
    wanted = Commit(
        name=full_name(repository, tag) if repository else "",
        author=query.get("author", ""),
        message=query.get("comment", ""),
        changes=tuple(line for text in exchange.request.queries.get("changes", ()) for line in text.splitlines()),
        pause=exchange.request.flag("pause", default=True),
    )
    identifier = commit_container(world.context.home, found.home.name, found.container, wanted)
    world.events.tell_of(found, "commit", imageID=identifier)
    exchange.answer({"Id": identifier}, HTTPStatus.CREATED)


def _subject(world: World, exchange: Exchange) -> tuple[Found, str]:
    found, path = world.find(exchange.parameters["name"]), exchange.request.query.get("path", "")
    if not path:
        raise bad_request("missing required parameter: path")
    return found, path if path.startswith("/") else f"/{path}"


@contextmanager
def _opened(found: Found, path: str, flags: int = os.O_PATH) -> Iterator[int]:
    """Raises ApiError with 404."""
    with opened_root(found.directory) as root:
        try:
            fd = Inside(root, found.name).open(path, flags)
        except OSError as error:
            raise not_found(f"Could not find the file {path} in container {found.name}") from error
        try:
            yield fd
        finally:
            os.close(fd)


def _status(found: Found, path: str) -> str:
    """Engine API, ``ContainerArchiveInfo``: JSON in base64."""
    with opened_root(found.directory) as root:
        try:
            fd = open_in_root(root, path, os.O_PATH | os.O_NOFOLLOW)
        except OSError as error:
            raise not_found(f"Could not find the file {path} in container {found.name}") from error
        try:
            status = os.fstat(fd)
            target = os.readlink("", dir_fd=fd) if stat.S_ISLNK(status.st_mode) else ""
        finally:
            os.close(fd)
    mode = stat.S_IMODE(status.st_mode) & 0o777 | KINDS.get(stat.S_IFMT(status.st_mode), 0)
    mode |= sum(bit for own, bit in MODES.items() if status.st_mode & own)
    if target and not target.startswith("/"):
        target = posixpath.normpath(posixpath.join(posixpath.dirname(path), target))
    shown = {
        "name": posixpath.basename(path.rstrip("/")) or "/",
        "size": status.st_size,
        "mode": mode,
        "mtime": render_moment(status.st_mtime_ns / NANOSECONDS),
        "linkTarget": target,
    }
    return base64.b64encode(json.dumps(shown).encode()).decode()
