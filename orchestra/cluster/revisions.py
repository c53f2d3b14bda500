"""What a stack was deployed as, kept beside it in the cluster: the last time, and the time before. Pure.

It is written before anything is changed, so that a pass that is killed in its middle can be gone back from, too.
"""

from __future__ import annotations

import base64
import gzip
import json
from typing import TYPE_CHECKING, Any

from orchestra.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Mapping

REVISION = "io.orchestra.revision"
"""The label of what keeps it, with its number."""
_KEPT = 2


def pack(content: object) -> str:
    """As base64: the same text for the same content."""
    return base64.b64encode(gzip.compress(json.dumps(content, sort_keys=True).encode(), mtime=0)).decode()


def unpack(text: str) -> Any:
    return json.loads(gzip.decompress(base64.b64decode(text)))


def number_after(kept: Mapping[int, object]) -> int:
    return max(kept, default=0) + 1


def superfluous(numbers: Mapping[int, object]) -> list[int]:
    """Those that are not kept any more."""
    return sorted(numbers)[:-_KEPT]


def current(kept: Mapping[int, str]) -> Any:
    """The content of the last deployment. Raises UserError without one."""
    if not kept:
        raise UserError("the cluster has no deployment of this stack", hint="run orchestra deploy first")
    return unpack(kept[max(kept)])


def previous(kept: Mapping[int, str]) -> Any:
    """The content of the deployment before the last one. Raises UserError without one."""
    if len(kept) < _KEPT:
        raise UserError("the cluster has no deployment of this stack before the last one")
    return unpack(kept[sorted(kept)[-_KEPT]])
