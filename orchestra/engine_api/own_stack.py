"""Changes of the stack that everything made through the API belongs to: one container at a time, beside the others."""

from __future__ import annotations

import json
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from orchestra.control.environment import for_registries
from orchestra.engine_api.world import OWN_STACK
from orchestra.model.codec import encode
from orchestra.model.desired import Desired, ImageSpec, VolumeSpec
from orchestra.model.event import AskedEvent
from orchestra.model.names import StackName, VolumeName
from orchestra.model.request import Changes, UpRequest
from orchestra.model.result import UpResult
from orchestra.model.wish import Recreate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from orchestra.engine_api.world import World
    from orchestra.model.container import ContainerSpec
    from orchestra.model.desired import NetworkSpec
    from orchestra.model.event import Event


def put(
    world: World,
    spec: ContainerSpec,
    networks: Sequence[NetworkSpec],
    volumes: Sequence[str] = (),
    *,
    start: bool = False,
) -> UpResult:
    """Have this container beside the others; one that exists is kept as it is. start: it runs, and is to run on."""
    context = world.context
    with _turn(world) as hear:
        current = world.states.desired(context.home.stack(OWN_STACK))
        others = {each.service for each in current.containers} if current else set()
        desired = Desired(
            StackName(OWN_STACK),
            services=tuple(sorted({*others, spec.service})),
            containers=(spec,),
            networks=tuple(networks),
            volumes=tuple(VolumeSpec(name, VolumeName(name), config_hash=name, external=True) for name in volumes),
            images=(ImageSpec(spec.image, pull_policy="never"),),
        )
        changes = Changes(
            services=(spec.service,), named=(spec.service,), alone=True, recreate=Recreate.NEVER, start=start
        )
        request = UpRequest(
            changes, for_registries(context.environment), asked_at=time.time(), author=context.author, beside=True
        )
        text = json.dumps(encode(desired), separators=(",", ":")).encode()
        return world.client(OWN_STACK).ask(UpResult, request, hear, desired=text)


@contextmanager
def _turn(world: World) -> Iterator[Callable[[Event], None]]:
    """Until the supervisor has written a change down, another must not be computed from what was before it."""
    world.changing.acquire()
    held = True

    def hear(event: Event) -> None:
        nonlocal held
        if held and isinstance(event, AskedEvent):
            held = False
            world.changing.release()

    try:
        yield hear
    finally:
        if held:
            world.changing.release()
