"""``orchestra image pull``: fetch images by name, or read archives and layouts again."""

from __future__ import annotations

from functools import partial

from orchestra.cli.each import for_each
from orchestra.cli.render.say import say
from orchestra.model.desired import ImageSpec
from orchestra.stacks.images.library import Library, name_of, open_library, reference_key

TYPE_CHECKING = False
if TYPE_CHECKING:
    from orchestra.cli.invocation import Invocation


def run(invocation: Invocation) -> int:
    context, values = invocation.context, invocation.values
    context.need_privileges()
    library = open_library(context)
    work = partial(_pull, invocation, library, values["platform"] or "", values["quiet"])
    return for_each(invocation, values["references"], work)


def _pull(invocation: Invocation, library: Library, platform: str, quiet: bool, text: str) -> None:
    key = reference_key(text)
    name = name_of(key)
    if name and not quiet:
        say(f"{name.wanted}: Pulling from {name.path}", flush=True)
    before = library.content.entry(key)
    spec = ImageSpec(text if name else key, platform, "always")
    if quiet:
        library.store.pull(spec)
    else:
        _pull_visibly(invocation, library, spec)
    after = library.content.entry(key)
    if after and not quiet:
        say(f"Digest: {after.source}")
        is_same = before is not None and before.digest == after.digest
        status = "Image is up to date" if is_same else "Downloaded newer image" if name else "Read newer image"
        say(f"Status: {status} for {text}")
    say(key, flush=True)


def _pull_visibly(invocation: Invocation, library: Library, spec: ImageSpec) -> None:
    from orchestra.cli.progress import open_progress

    if not open_progress(invocation).redraws:
        library.store.pull(spec)
        return
    from orchestra.cli.image.parallel import with_progress
    from orchestra.stacks.images.parallel import in_parallel

    jobs = {spec.reference: partial(library.store.pull, spec)}
    failures = with_progress(
        invocation, lambda hear: in_parallel("pull", jobs, hear, lambda _: library.store.measure(spec))
    )
    if failures:
        raise failures[spec.reference]
