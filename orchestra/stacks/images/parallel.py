"""Transfers several images at a time."""

from __future__ import annotations

import time
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait

from orchestra.errors import OrchestraError
from orchestra.model.event import ActionEvent, Phase, PullEvent
from orchestra.model.resource import ResourceId
from orchestra.stacks.at_once import how_many

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from orchestra.model.event import Event

PARALLEL = 4
"""Number of images at a time; each transfers several layers at a time."""

MEASURING = 0.25
"""Seconds between two looks at the progress of images."""

Failures = dict[str, OrchestraError | OSError]


def in_parallel(
    verb: str,
    jobs: Mapping[str, Callable[[], object]],
    hear: Callable[[Event], None],
    measure: Callable[[str], tuple[int, int] | None] = lambda _: None,
    at_once: int | None = None,
) -> Failures:
    """Return the errors, by image. verb: ``pull`` or ``push``; jobs: by image.

    at_once: as in ``how_many``.
    measure: bytes of an image that have arrived, and in all; None if unknown. If interrupted, this leaves
    threads running that the interpreter would wait for at exit.
    """
    pool = ThreadPoolExecutor(how_many(at_once, PARALLEL, len(jobs)), thread_name_prefix=verb)
    try:
        return _run(pool, verb, jobs, hear, measure)
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _run(
    pool: ThreadPoolExecutor,
    verb: str,
    jobs: Mapping[str, Callable[[], object]],
    hear: Callable[[Event], None],
    measure: Callable[[str], tuple[int, int] | None],
) -> Failures:
    def tell(image: str, phase: Phase, error: str = "") -> None:
        hear(ActionEvent(time.time(), verb, ResourceId.image(image), phase, error=error))

    failures: Failures = {}
    for image in jobs:
        tell(image, Phase.STARTED)
    futures = {pool.submit(work): image for image, work in jobs.items()}
    pending = set(futures)
    while pending:
        ended, pending = wait(pending, MEASURING, FIRST_COMPLETED)
        for future in ended:
            image = futures[future]
            try:
                future.result()
            except (OrchestraError, OSError) as error:
                failures[image] = error
                tell(image, Phase.FAILED, str(error))
            else:
                tell(image, Phase.DONE)
        for image in (futures[future] for future in pending):
            if seen := measure(image):
                hear(PullEvent(time.time(), ResourceId.image(image), *seen))
    return failures
