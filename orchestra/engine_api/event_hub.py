"""The events of all stacks in one place: one thread hears every supervisor, and every listener hears that thread.

A listener misses nothing, but may see a change twice or late. So a wait for a state looks at it again with each event.
"""

from __future__ import annotations

import os
import select
import threading
import time
from collections import deque
from contextlib import suppress
from queue import Empty, Full, Queue
from typing import TYPE_CHECKING, NamedTuple

from orchestra.control.history import read_events
from orchestra.driver.local.net.listing import network_id
from orchestra.errors import OrchestraError
from orchestra.linux.inotify import IN_CREATE, IN_MOVED_TO, Inotify
from orchestra.model.event import ActionEvent, ContainerEvent, HealthEvent, Phase
from orchestra.model.resource import Kind

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from orchestra.control.listening import Listening
    from orchestra.engine_api.world import Found, World
    from orchestra.home import StackHome
    from orchestra.model.event import Event

BACKLOG = 4096
"""Events that may wait for a listener; one that reads too slowly is cut off."""
KEPT = 4096
"""Events that are kept for ``since``; older ones are read from the files of the stacks."""
CHANGES = {"created": "create", "started": "start", "exited": "die", "removed": "destroy"}
AWAKE, SETTLE = "awake", 1.0


class ApiEvent(NamedTuple):
    """kind: container, image, network, volume. at: Unix seconds."""

    kind: str
    action: str
    id: str
    attributes: Mapping[str, str]
    at: float

    def render(self) -> dict[str, Any]:
        """Engine API, ``EventMessage``, with the older fields that some clients still read."""
        nanoseconds = int(self.at * 1_000_000_000)
        shown: dict[str, Any] = {
            "Type": self.kind,
            "Action": self.action,
            "Actor": {"ID": self.id, "Attributes": dict(self.attributes)},
            "scope": "local",
            "time": nanoseconds // 1_000_000_000,
            "timeNano": nanoseconds,
        }
        if self.kind == "container":
            shown |= {"status": self.action, "id": self.id, "from": self.attributes.get("image", "")}
        elif self.kind == "image":
            shown |= {"status": self.action, "id": self.id}
        return shown


class Listener:
    """``get`` returns the next event, or None when the time is up. One of no kind: look again."""

    def __init__(self, hub: EventHub) -> None:
        self._hub = hub
        self.queue: Queue[ApiEvent] = Queue(BACKLOG)
        self.is_cut_off = False

    def get(self, seconds: float | None = None) -> ApiEvent | None:
        with suppress(Empty):
            return self.queue.get(timeout=seconds)
        return None

    def __enter__(self) -> Listener:
        self._hub.add(self)
        return self

    def __exit__(self, *_exception: object) -> None:
        self._hub.remove(self)


class _Identity(NamedTuple):
    """Of a container, for events that come when it is gone."""

    id: str
    attributes: Mapping[str, str]


class EventHub:
    def __init__(self, world: World) -> None:
        self._world = world
        self._home = world.context.home
        self._lock = threading.Lock()
        self._listeners: set[Listener] = set()
        self._kept: deque[ApiEvent] = deque(maxlen=KEPT)
        self._heard: dict[str, Listening] = {}
        self._known: dict[tuple[str, str], _Identity] = {}
        self._wake_read, self._wake_write = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        self._inotify = Inotify()
        self._watched: set[str] = set()
        self._thread = threading.Thread(target=self._run, name="events", daemon=True)
        self._rounds = threading.Condition(self._lock)
        self._round = 0
        self._began = time.time()

    def start(self) -> None:
        self._thread.start()

    def listener(self) -> Listener:
        """Hears everything from when it is entered."""
        return Listener(self)

    def add(self, listener: Listener) -> None:
        with self._lock:
            self._listeners.add(listener)

    def remove(self, listener: Listener) -> None:
        with self._lock:
            self._listeners.discard(listener)

    def look_for_stacks(self) -> None:
        """Return once every stack that runs by now is listened to."""
        with self._rounds:
            wanted = self._round + 2  # the round that is under way may have looked already
            os.write(self._wake_write, b"x")
            while self._round < wanted and self._thread.is_alive():
                if not self._rounds.wait(SETTLE):
                    return
                with suppress(BlockingIOError):
                    os.write(self._wake_write, b"x")

    def tell(self, kind: str, action: str, id: str, attributes: Mapping[str, str]) -> None:
        """What this process has done itself."""
        self._publish(ApiEvent(kind, action, id, attributes, time.time()))

    def tell_of(self, found: Found, action: str, **attributes: str) -> None:
        """The same about a container."""
        self.tell("container", action, found.id, {**attributes_of(found), **attributes})

    def past(self, since: float, until: float) -> list[ApiEvent]:
        """The oldest first."""
        with self._lock:
            kept = list(self._kept)
        found = [event for event in kept if since <= event.at <= until]
        heard = self._began if len(kept) < KEPT else kept[0].at
        for stack in self._world.stack_names():
            changes = (each for each in read_events(self._home.stack(stack)) if since <= each.at <= min(until, heard))
            found += filter(None, [self._translate(stack, each) for each in changes])
        return sorted(found, key=lambda event: event.at)

    def _publish(self, event: ApiEvent) -> None:
        with self._lock:
            if event.kind:
                self._kept.append(event)
            for listener in self._listeners:
                try:
                    listener.queue.put_nowait(event)
                except Full:
                    listener.is_cut_off = True

    def _run(self) -> None:
        while True:
            self._watch(self._home.stacks_run)
            self._watch(self._home.stacks_data)
            for stack in _entries(self._home.stacks_run):
                if stack.startswith("_") or not self._world.sees(stack):
                    continue
                home = self._home.stack(stack)
                self._watch(home.run)
                self._watch(home.data)
                if stack not in self._heard and self._is_wanted(home):
                    self._listen(stack)
            with self._rounds:
                self._round += 1
                self._rounds.notify_all()
            self._wait()

    def _wait(self) -> None:
        """Until a supervisor says something, another may have come, or someone asks."""
        by_fd = {listening.fileno(): stack for stack, listening in self._heard.items()}
        if any(listening.is_ready for listening in self._heard.values()):
            ready = {fd for fd, stack in by_fd.items() if self._heard[stack].is_ready}
        else:
            poll = select.poll()
            for fd in (*by_fd, self._wake_read, self._inotify.fileno()):
                poll.register(fd, select.POLLIN)
            ready = {fd for fd, _ in poll.poll()}
        self._inotify.read()
        with suppress(BlockingIOError):
            os.read(self._wake_read, 4096)
        for fd in ready.intersection(by_fd):
            self._hear(by_fd[fd])

    def _watch(self, directory: str) -> None:
        """Each look watches it anew: a directory that has been made again is another one."""
        with suppress(OSError):
            self._inotify.add(directory, IN_CREATE | IN_MOVED_TO)

    def _is_wanted(self, home: StackHome) -> bool:
        """To connect to the socket of a stack that goes down would have its fork server start another supervisor."""
        desired = self._world.states.desired(home)
        return desired is not None and not desired.is_down

    def _listen(self, stack: str) -> None:
        try:
            listening = self._world.client(stack).listen()
        except (OSError, OrchestraError):
            return  # of another version, or just leaving: the next look finds out
        if listening is not None:
            self._heard[stack] = listening
            # By the time that an end is heard of, the container may be gone.
            for found in self._world.containers_of(stack):
                self._identify(stack, found.container.name)

    def _hear(self, stack: str) -> None:
        listening = self._heard[stack]
        try:
            events = listening.read()
        except (OSError, OrchestraError, ValueError):
            events = None
        if events is None:
            listening.close()
            del self._heard[stack]
            self._publish(ApiEvent("", AWAKE, "", {}, time.time()))
            return
        for event in events:
            translated = self._translate(stack, event)
            self._publish(translated or ApiEvent("", AWAKE, "", {}, time.time()))

    def _translate(self, stack: str, event: Event) -> ApiEvent | None:
        """None for what Docker has no event of."""
        match event:
            case ContainerEvent(container=name, change=change):
                action = CHANGES.get(change, change)
                more = {} if event.exit_code is None else {"exitCode": str(event.exit_code)}
                return self._of_container(stack, name, action, event.at, more)
            case HealthEvent(container=name, health=health):
                return self._of_container(stack, name, f"health_status: {health.status}", event.at, {})
            case ActionEvent(resource=resource, verb="stop", phase=Phase.DONE) if resource.kind is Kind.CONTAINER:
                return self._of_container(stack, resource.name, "stop", event.at, {})
            case ActionEvent(resource=resource, verb=verb, phase=Phase.DONE) if resource.kind in (
                Kind.NETWORK,
                Kind.VOLUME,
            ):
                done = {"create": "create", "remove": "destroy"}.get(verb)
                if done and resource.kind is Kind.NETWORK:
                    attributes = {"name": resource.name, "type": "bridge"}
                    return ApiEvent("network", done, network_id(self._home, resource.name), attributes, event.at)
                if done:
                    return ApiEvent("volume", done, resource.name, {"driver": "local"}, event.at)
        return None

    def _of_container(self, stack: str, name: str, action: str, at: float, more: Mapping[str, str]) -> ApiEvent | None:
        known = self._identify(stack, name)
        if known is None:
            return None
        if action == "destroy":
            self._known.pop((stack, name), None)
        return ApiEvent("container", action, known.id, {**known.attributes, **more}, at)

    def _identify(self, stack: str, name: str) -> _Identity | None:
        there = self._world.at(stack, name)
        if there is not None:
            self._known[stack, name] = _Identity(there.id, attributes_of(there))
        return self._known.get((stack, name))


def attributes_of(found: Found) -> dict[str, str]:
    """Docker puts the labels among them."""
    from orchestra.engine_api.containers.shape import labels_of

    image = found.made.image if found.made else found.container.image
    return {**labels_of(found), "image": image, "name": found.name}


def _entries(directory: str) -> list[str]:
    try:
        return os.listdir(directory)
    except FileNotFoundError:
        return []
