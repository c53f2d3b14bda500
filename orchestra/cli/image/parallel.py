"""Several images at a time, with progress, and an end at once when somebody presses Ctrl-C."""

from __future__ import annotations

import os
import sys
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait

from orchestra.cli.render.progress import open_progress
from orchestra.cli.start import INTERRUPTED
from orchestra.errors import OrchestraError
from orchestra.model.resource import Kind, ResourceId

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from orchestra.cli.invocation import Invocation
    from orchestra.cli.render.progress import Quiet

PARALLEL = 4
"""Images at a time; each has several layers at a time."""

MEASURING = 0.25
"""Seconds between two looks at how far images are."""

Failures = dict[str, OrchestraError | OSError]


def in_parallel(
    invocation: Invocation,
    verb: str,
    jobs: Mapping[str, Callable[[], object]],
    skipped: Mapping[str, str],
    measure: Callable[[str], tuple[int, int] | None] = lambda _: None,
) -> Failures:
    """verb: ``pull`` or ``push``; jobs: by image; skipped: reasons by service. What went wrong, by image.

    measure: bytes of an image that have come, and of all of it; None when that is not known.
    """
    pool = ThreadPoolExecutor(PARALLEL, thread_name_prefix=verb)
    try:
        with open_progress(invocation) as progress:
            for service, reason in skipped.items():
                progress.skip(ResourceId(Kind.SERVICE, service), reason)
            return _run(pool, progress, verb, jobs, measure)
    except KeyboardInterrupt:
        # The interpreter would wait for the threads. What they have fetched so far is taken up by the next command.
        sys.stdout.flush()
        os._exit(INTERRUPTED)
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _run(
    pool: ThreadPoolExecutor,
    progress: Quiet,
    verb: str,
    jobs: Mapping[str, Callable[[], object]],
    measure: Callable[[str], tuple[int, int] | None],
) -> Failures:
    def tell(image: str, phase: str, error: str = "") -> None:
        event = {
            "kind": "ActionEvent",
            "verb": verb,
            "resource": str(ResourceId.image(image)),
            "phase": phase,
            "error": error,
        }
        progress.hear(event)

    failures: Failures = {}
    for image in jobs:
        tell(image, "started")
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
                tell(image, "failed", str(error))
            else:
                tell(image, "done")
        for image in (futures[future] for future in pending):
            if seen := measure(image):
                event = {
                    "kind": "PullEvent",
                    "resource": str(ResourceId.image(image)),
                    "fetched": seen[0],
                    "total": seen[1],
                }
                progress.hear(event)
    return failures
