"""The images in a Compose file, by service. Fast if the file is in the cache."""

from __future__ import annotations

import json

from orchestra.named_tuple import NamedTuple
from orchestra.stacks.stack_file import StackFile

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from orchestra.compose import Loaded
    from orchestra.stacks.context import Context


class ServiceImage(NamedTuple):
    """image: with its path absolute; empty if the file names none. policy: empty if the file has none. tags: other
    names that its build gives.
    """

    service: str
    image: str
    platform: str
    policy: str
    is_built: bool
    tags: Sequence[str]


def images_of_services(context: Context, services: Sequence[str], *, include_deps: bool) -> list[ServiceImage]:
    """The images by service; all if no service is named. Raises the errors of a load."""
    rows = json.loads(StackFile(context).render("service-images", services, _render))
    found = [ServiceImage(*row) for row in rows]
    return [row for row in found if include_deps or not services or row.service in services]


def _render(loaded: Loaded) -> str:
    specs = {str(spec.service): spec for spec in loaded.desired.containers}
    rows = []
    for key, service in sorted(loaded.stack.services.items()):
        spec = specs.get(key)  # none for a service with no replicas
        image = (spec.image if spec else service.image) if service.image else ""
        tags = list(service.build.tags or ()) if service.build else []
        platform = service.platform or ""
        rows.append(ServiceImage(key, image, platform, service.pull_policy or "", service.build is not None, tags))
    return json.dumps(rows)
