"""``orchestra image pull``: fetch images by name, or read archives and layouts anew."""

from __future__ import annotations

from functools import partial

from orchestra.cli.image.each import for_each
from orchestra.cli.image.parallel import in_parallel
from orchestra.cli.render.progress import open_progress
from orchestra.driver.local.image.library import Library, name_of, reference_key
from orchestra.state.desired import ImageSpec

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
        print(f"{name.wanted}: Pulling from {name.path}", flush=True)
    before = library.content.entry(key)
    spec = ImageSpec(text if name else key, platform, "always")
    if quiet or not open_progress(invocation).redraws:
        library.store.pull(spec)
    elif failures := in_parallel(
        invocation, "pull", {text: partial(library.store.pull, spec)}, {}, lambda _: library.store.measure(spec)
    ):
        raise failures[text]
    after = library.content.entry(key)
    if after and not quiet:
        print(f"Digest: {after.source}")
        is_same = before is not None and before.digest == after.digest
        status = "Image is up to date" if is_same else "Downloaded newer image" if name else "Read newer image"
        print(f"Status: {status} for {text}")
    print(key, flush=True)
