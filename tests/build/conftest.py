"""Building in tests: from a text to a graph, with images that are known."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from orchestra.build.configuration import ImageConfiguration
from orchestra.build.dockerfile import parse_dockerfile
from orchestra.build.graph import make_graph, needed_images
from orchestra.build.options import Options
from orchestra.build.step import Copy
from orchestra.errors import DockerfileError
from orchestra.record import replace

if TYPE_CHECKING:
    from orchestra.build.step import Graph

OPTIONS = Options("linux/amd64", "linux/amd64")


def graph_of(text: str, options: Options = OPTIONS, **images: ImageConfiguration) -> Graph:
    """images: by their names; those that are not given are empty."""
    dockerfile = parse_dockerfile(text)
    known: dict = {}
    while missing := [image for image in needed_images(dockerfile, options, known) if image not in known]:
        known |= {image: images.get(image.reference, ImageConfiguration()) for image in missing}
    return make_graph(dockerfile, options, known)


def built_of(lines: str, options: Options = OPTIONS, **images: ImageConfiguration) -> Graph:
    """The same, with these lines after ``FROM base``."""
    return graph_of(f"FROM base\n{lines}", options, **images)


def mistakes(text: str, **options: object) -> list[tuple[str, str]]:
    """The place and the message of each mistake in a Dockerfile."""
    with pytest.raises(DockerfileError) as raised:
        graph_of(text, replace(OPTIONS, **options))
    return [(f"{one.span.line}:{one.span.column}", one.message) for one in raised.value.diagnostics]


def last(lines: str, kind: type = Copy, **options: object) -> object:
    """The last step of a kind that these lines make after ``FROM base``."""
    graph = built_of(lines, replace(OPTIONS, **options))
    return [step for step in graph.steps if isinstance(step, kind)][-1]
