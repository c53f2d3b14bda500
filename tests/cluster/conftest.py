"""A cluster in memory, and a client of it that does not wait."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from orchestra.cluster.access import Access
from orchestra.cluster.api import Api
from orchestra.cluster.change import Terms
from orchestra.cluster.deploy import Deployment
from orchestra.cluster.http import Http
from tests.cluster.server import Server, serving

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from orchestra.cluster.change import Change
    from orchestra.translation.result import Translation


class Clock:
    """Time that passes only when it is waited for. waits: how long, each time."""

    def __init__(self) -> None:
        self.now = 0.0
        self.waits: list[float] = []
        self.at_pause: Callable[[], object] = lambda: None

    def __call__(self) -> float:
        return self.now

    def pause(self, seconds: float) -> None:
        self.now += seconds
        self.waits.append(seconds)
        self.at_pause()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def server() -> Server:
    return Server()


@pytest.fixture
def url(server: Server) -> Iterator[str]:
    with serving(server) as url:
        yield url


@pytest.fixture
def api(url: str, clock: Clock) -> Iterator[Api]:
    http = Http(Access(url), {}, clock.pause)
    yield Api(http, "default")
    http.close()


@pytest.fixture
def deploy(api: Api, clock: Clock) -> Callable[..., tuple[Change, ...]]:
    """One pass with the objects of a translation; ``deploy.told`` has what was told."""

    def deploy(translation: Translation, **terms: object) -> tuple[Change, ...]:
        def tell(subject: str, text: str) -> None:
            deploy.told.append(f"{subject} {text}")  # type: ignore[attr-defined]

        chosen = Terms(**terms)  # type: ignore[arg-type]
        return Deployment(api, "stack", chosen, tell, clock, clock.pause).run(translation.objects)

    deploy.told = []  # type: ignore[attr-defined]
    return deploy
