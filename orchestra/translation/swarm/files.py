"""Configs and secrets, named by their content: Swarm's cannot be changed, only replaced."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from orchestra.named_tuple import NamedTuple
from orchestra.translation.plain import plain
from orchestra.translation.source import LARGEST

if TYPE_CHECKING:
    from orchestra.translation.ledger import Given
    from orchestra.translation.result import Object
    from orchestra.translation.source import Source

LARGEST_SECRET = 500 * 1024
"""https://docs.docker.com/engine/swarm/secrets/"""


class Files(NamedTuple):
    """objects: by key in the file. files: contents, by the names that the objects have for them."""

    objects: dict[str, Object]
    files: dict[str, bytes]


def file_objects(kind: str, stack: Given, source: Source) -> Files:
    found = Files({}, {})
    for key, item in stack.entries(kind).items():
        if item is None:
            continue
        name = item.take("name")
        for attribute in ("file", "content", "environment"):
            item.take(attribute)
        if item.take("external"):
            found.objects[key] = {"external": True, "name": name}
            continue
        content = source.contents.get((kind, key))
        most = LARGEST_SECRET if kind == "secrets" else LARGEST
        if content is None or len(content) > most:
            why = (
                "has no content here" if content is None else f"is larger than {most} bytes, the most that Swarm takes"
            )
            item.ledger.lose(item.path, why)
            continue
        digest = hashlib.sha256(content).hexdigest()[:8]
        path = f"{kind[:-1]}-{key}-{digest}"
        found.files[path] = content
        more = plain({attribute: item.take(attribute) for attribute in ("labels", "template_driver")})
        found.objects[key] = {"name": f"{name}-{digest}", "file": f"./{path}", **more}
    return found
