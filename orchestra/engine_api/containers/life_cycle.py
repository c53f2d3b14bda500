"""Starting, stopping and removing containers, and waiting for them."""

from __future__ import annotations

import time
from http import HTTPStatus
from typing import TYPE_CHECKING

from orchestra.driver.local.details import written_size
from orchestra.engine_api.errors import ApiError, bad_request, conflict
from orchestra.engine_api.exchange import JSON_TYPE
from orchestra.engine_api.filters import parse_filters
from orchestra.engine_api.moment import parse_moment
from orchestra.errors import UserError
from orchestra.linux.process import parse_signal
from orchestra.model.observed import Exited, Running
from orchestra.model.request import (
    KillRequest,
    PauseRequest,
    RemoveRequest,
    RestartRequest,
    StartRequest,
    StopRequest,
)
from orchestra.model.result import KillResult, PauseResult, RemoveResult, StartResult, StopResult
from orchestra.stacks.filters import has_labels

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from orchestra.engine_api.exchange import Exchange, Writer
    from orchestra.engine_api.world import Found, World
    from orchestra.model.result import ReportedFailure

FOREVER = 1e9
"""Seconds of patience with a container that is to stop, for a client that names none."""
PATIENCE = 5.0
"""Seconds after which a wait looks whether its client is still there."""


def start(world: World, exchange: Exchange) -> None:
    found = world.find(exchange.parameters["name"])
    if found.is_paused:
        raise conflict("cannot start a paused container, try unpause instead")
    if found.runs:
        exchange.empty(HTTPStatus.NOT_MODIFIED)
        return
    world.events.look_for_stacks()
    request = StartRequest((found.container.service,), containers=_alone(world, found))
    result = world.client(found.home.name).ask(StartResult, request)
    if result.failures and found.made and found.made.auto_remove:
        remove_container(world, found, volumes=True)  # clients wait for that
    _check(result.failures)
    exchange.empty()


def stop(world: World, exchange: Exchange) -> None:
    found = world.find(exchange.parameters["name"])
    if not found.runs and not world.is_restarting(found):
        exchange.empty(HTTPStatus.NOT_MODIFIED)
        return
    stop_container(world, found, _patience(exchange))
    exchange.empty()


def restart(world: World, exchange: Exchange) -> None:
    found = world.find(exchange.parameters["name"])
    request = RestartRequest(
        (found.container.service,),
        _patience(exchange),
        alone=True,
        asked_at=time.time(),
        containers=_alone(world, found),
    )
    result = world.client(found.home.name).ask(StartResult, request)
    _check(result.failures)
    world.events.tell_of(found, "restart")
    exchange.empty()


def stop_container(world: World, found: Found, timeout: float | None) -> None:
    """timeout: seconds until it is killed; None for its own."""
    request = StopRequest((found.container.service,), timeout, _alone(world, found))
    result = world.client(found.home.name).ask(StopResult, request)
    _check(result.failures)


def _patience(exchange: Exchange) -> float | None:
    seconds = exchange.request.number("t")
    return None if seconds is None else FOREVER if seconds < 0 else float(seconds)


def kill(world: World, exchange: Exchange) -> None:
    found, text = world.find(exchange.parameters["name"]), exchange.request.query.get("signal") or "SIGKILL"
    try:
        number = parse_signal(text)
    except ValueError as error:
        raise bad_request(f"Invalid signal: {text}") from error
    if not found.runs:
        raise conflict(f"cannot kill container: {exchange.parameters['name']}: container {found.id} is not running")
    request = KillRequest(number, (found.container.service,), containers=_alone(world, found))
    world.client(found.home.name).ask(KillResult, request)
    world.events.tell_of(found, "kill", signal=str(number))
    if number == 9:
        _await(world, found, lambda now: now is None or not now.runs or now.container.status != found.container.status)
    exchange.empty()


def pause(world: World, exchange: Exchange) -> None:
    _set_paused(world, exchange, paused=True)


def unpause(world: World, exchange: Exchange) -> None:
    _set_paused(world, exchange, paused=False)


def _set_paused(world: World, exchange: Exchange, *, paused: bool) -> None:
    found = world.find(exchange.parameters["name"])
    if not found.runs:
        raise conflict(f"container {found.id} is not running")
    if found.is_paused is paused:
        raise conflict(f"Container {found.id} is {'already' if paused else 'not'} paused")
    request = PauseRequest((found.container.service,), paused=paused, containers=_alone(world, found))
    world.client(found.home.name).ask(PauseResult, request)
    world.events.tell_of(found, "pause" if paused else "unpause")
    exchange.empty()


def _alone(world: World, found: Found) -> tuple[str, ...]:
    """The container, if it is one of several of its service; else the request is one about the service."""
    if found.made is not None:
        return ()
    there = world.containers_of(found.home.name)
    several = sum(each.container.service == found.container.service for each in there) > 1
    return (found.container.name,) if several else ()


def wait(world: World, exchange: Exchange) -> None:
    """The head of the answer goes out at once: clients start the container when they have it."""
    condition = exchange.request.query.get("condition") or "not-running"
    if condition not in ("not-running", "next-exit", "removed"):
        raise bad_request(f'invalid condition: "{condition}"')
    found = world.find(exchange.parameters["name"])
    status = found.container.status
    before = status.started_at if isinstance(status, Exited) else 0.0

    def is_over(now: Found | None) -> bool:
        if now is None:
            return True
        if condition == "removed":
            return False
        ended = now.container.status
        if isinstance(status, Running):  # its end counts, also if it is started again, or has been by now
            return not isinstance(ended, Running) or ended.pid != status.pid
        if condition == "not-running":
            return not now.runs and not world.is_restarting(now)
        return isinstance(ended, Exited) and ended.started_at != before

    with exchange.stream(JSON_TYPE) as writer:
        last, gone = _await(world, found, is_over, writer)
        if not gone:
            writer.document({"StatusCode": last.exit_code})


def _await(
    world: World, found: Found, is_over: Callable[[Found | None], bool], writer: Writer | None = None
) -> tuple[Found, bool]:
    """The container as it was last seen, and whether the client has gone before it was over."""
    last = found
    code = None
    with world.events.listener() as listener:
        while True:
            now = world.look_again(found)
            last = now or last
            has_ended = now is not None and isinstance(now.container.status, Exited)
            # It runs again, or is just being started again: the event will say how it ended.
            is_unknown = writer is not None and found.runs and now is not None and not has_ended and code is None
            if is_over(now) and not is_unknown:
                return (last if code is None or has_ended else _with_code(last, code)), False
            event = listener.get(PATIENCE)
            if event is not None and event.id == found.id and event.action == "die":
                code = int(event.attributes.get("exitCode", "0"))
            if writer is not None and event is None and writer.is_gone:
                return last, True


def _with_code(found: Found, code: int) -> Found:
    """As it ended, if it was gone, or runs again, before it could be looked at."""
    from orchestra.record import replace

    status = Exited(code, 0.0, 0.0)
    return found._replace(container=replace(found.container, status=status))


def remove(world: World, exchange: Exchange) -> None:
    request = exchange.request
    found = world.find(exchange.parameters["name"])
    if request.flag("link"):
        raise bad_request("links cannot be removed")
    if found.runs and not request.flag("force"):
        raise conflict(
            f'cannot remove container "/{found.name}": container is {"paused" if found.is_paused else "running"}: '
            "stop the container before removing or force remove"
        )
    remove_container(world, found, volumes=request.flag("v"))
    exchange.empty()


def remove_container(world: World, found: Found, *, volumes: bool) -> None:
    """volumes: also the anonymous ones."""
    try:
        if found.made is not None or found.runs:
            # Also one that has ended: its supervisor may not have noticed yet.
            stop_container(world, found, 0.0)
        request = RemoveRequest((found.container.name,), remove_volumes=volumes)
        result = world.client(found.home.name).ask(RemoveResult, request)
    except UserError:
        if world.look_again(found) is None:
            return  # it was to be removed at its end
        raise
    _check(result.failures)


def prune(world: World, exchange: Exchange) -> None:
    """Those that were made through the API and do not run: a stack keeps what its file declares."""
    filters = parse_filters(exchange.request.query.get("filters", ""), ("label", "label!", "until"))
    from orchestra.engine_api.containers.shape import labels_of
    from orchestra.engine_api.world import OWN_STACK

    until = parse_moment("until", (filters.get("until") or [""])[0], time.time())
    gone, size = [], 0
    for each in list(world.containers_of(OWN_STACK)) if world.sees(OWN_STACK) else ():
        is_old = until is None or each.container.created_at < until
        if not each.runs and not world.is_restarting(each) and is_old and has_labels(filters, labels_of(each)):
            size += written_size(world.context.home, each.home, each.container.name)
            remove_container(world, each, volumes=False)
            gone.append(each.id)
    exchange.answer({"ContainersDeleted": gone or None, "SpaceReclaimed": size})


def _check(failures: Sequence[ReportedFailure]) -> None:
    if failures:
        first = failures[0]
        # Clients tell by these words, in lower case, how a command of theirs is to end.
        error = first.error.replace("No such file or directory", "no such file or directory")
        error = error.replace("Permission denied", "permission denied").replace("Is a directory", "is a directory")
        raise ApiError(HTTPStatus.BAD_REQUEST, f"{error}: {first.hint}" if first.hint else error)
