"""How far a pull is can be asked while it goes on."""

from __future__ import annotations

import os
import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor

from orchestra.driver.local.image.registry import Access
from orchestra.driver.local.image.store import ImageStore
from orchestra.home import Home
from orchestra.model.desired import ImageSpec
from tests.driver.local.image.making import Made, compressed, digest, entry, layer, needs_root

from .faulty import Registry, serving

pytestmark = needs_root

SMALL = layer(entry("small", content=b"small"))
BIG = layer(entry("big", content=random.Random(1).randbytes(600_000)))


def test_bytes_of_the_layers_are_counted_while_they_come(tmp_path):
    resume = threading.Event()

    def pause_midway(handler):
        if digest(compressed(BIG)) not in handler.path:
            return False
        data, status, more = handler.part(registry.blobs[digest(compressed(BIG))])
        handler.answer(status, data[:400_000], more, length=len(data))
        handler.wfile.flush()
        resume.wait(30)
        handler.wfile.write(data[400_000:])
        return True

    environment = {"HOME": str(tmp_path), "PATH": os.environ["PATH"], "XDG_RUNTIME_DIR": str(tmp_path)}
    store = ImageStore(Home(f"{tmp_path}/home/data", f"{tmp_path}/home/run"), Access(environment))
    total = len(compressed(SMALL)) + len(compressed(BIG))
    with serving(Registry()) as registry, ThreadPoolExecutor(1) as pool:
        made = Made()
        spec = ImageSpec(registry.put(made, made.image([SMALL, BIG], compress=compressed)))
        registry.fault = pause_midway
        assert store.measure(spec) is None
        pull = pool.submit(store.pull, spec)
        try:
            deadline = time.monotonic() + 30
            while (seen := store.measure(spec) or (0, 0))[0] <= len(compressed(SMALL)):
                assert time.monotonic() < deadline
            assert seen[0] <= len(compressed(SMALL)) + 400_000
            assert seen[1] == total
        finally:
            resume.set()
        pull.result()
    assert store.measure(spec) is None
