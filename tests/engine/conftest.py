"""Both event loops: asyncio as in production, trio with virtual time."""

import pytest
import trio.testing

from orchestra.testing.simulation.virtual_time import VirtualTimeLoop

punctual = pytest.mark.parametrize("anyio_backend", ["asyncio in virtual time", "trio"], indirect=True)
"""Of tests that say when something happens: on a busy machine it happens later."""


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request):
    backends = {
        "asyncio": ("asyncio", {}),
        "asyncio in virtual time": ("asyncio", {"loop_factory": VirtualTimeLoop}),
        "trio": ("trio", {"clock": trio.testing.MockClock(autojump_threshold=0)}),
    }
    return backends[request.param]
