"""``orchestra image pull``: fetch images by name, or read archives and layouts anew."""

from __future__ import annotations

from functools import partial

from orchestra.cli.image.each import for_each
from orchestra.cli.render.say import say
from orchestra.driver.local.image.library import Library, name_of, reference_key
from orchestra.model.desired import ImageSpec

TYPE_CHECKING = False
if TYPE_CHECKING:
    from orchestra.cli.invocation import Invocation


def run(invocation: Invocation) -> int:
    invocation.need_root()
    values = invocation.values
    library = Library(invocation.home)
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
    from orchestra.cli.render.progress import open_progress

    if not open_progress(invocation).redraws:
        library.store.pull(spec)
        return
    from orchestra.cli.image.parallel import in_parallel

    jobs = {spec.reference: partial(library.store.pull, spec)}
    if failures := in_parallel(invocation, "pull", jobs, {}, lambda _: library.store.measure(spec)):
        raise failures[spec.reference]
