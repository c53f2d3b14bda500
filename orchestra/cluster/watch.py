"""Changes of objects, as the API server tells them.

https://kubernetes.io/docs/reference/using-api/api-concepts/#efficient-detection-of-changes
"""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

from orchestra.cluster.http import CutOff, Refused
from orchestra.cluster.lines import lines
from orchestra.named_tuple import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from orchestra.cluster.api import Api
    from orchestra.cluster.http import Http
    from orchestra.cluster.kinds import Object
    from orchestra.errors import OrchestraError

_GONE = 410
_LASTS = "50"
"""Seconds after which the server ends a watch, so that one that says nothing is told from one that is cut off."""
_SHORTEST = 1.0


class Seen(NamedTuple):
    """kind: what the API calls it, or LISTED for what there was at first, or after a gap."""

    kind: str
    item: Object


LISTED, DELETED = "LISTED", "DELETED"


def follow(api: Api, path: str, query: dict[str, str], wait: Callable[[float], object] = time.sleep) -> Iterator[Seen]:
    """What there is, then each change. After changes were missed, once more what there is.

    Goes on until the connection is given up with ``Http.cut``.
    """
    while not api.http.is_cut:
        items, version = api.listed(path, query)
        yield from (Seen(LISTED, item) for item in items)
        try:
            yield from _changes(api.http, path, query, version, wait)
        except _Missed:
            continue


def _changes(
    http: Http, path: str, query: dict[str, str], version: str, wait: Callable[[float], object]
) -> Iterator[Seen]:
    asked = {**query, "watch": "true", "allowWatchBookmarks": "true", "timeoutSeconds": _LASTS}
    while not http.is_cut:
        begun = time.monotonic()
        try:
            with http.stream(path, {**asked, "resourceVersion": version}) as chunks:
                for line in lines(chunks):
                    told = json.loads(line)
                    item = told["object"]
                    if told["type"] == "ERROR":
                        raise _refusal(item, path)
                    version = item["metadata"]["resourceVersion"]
                    if told["type"] != "BOOKMARK":
                        yield Seen(told["type"], item)
        except Refused as refused:
            if refused.status == _GONE:
                raise _Missed from refused
            raise
        except (CutOff, ValueError):  # perhaps in the middle of a line
            if http.is_cut:
                return
        if time.monotonic() - begun < _SHORTEST:
            wait(_SHORTEST)


def _refusal(status: Object, path: str) -> OrchestraError:
    return Refused(int(status.get("code") or 0), status, f"GET {path}")


class _Missed(Exception):
    """The server does not know any more what has changed since then."""
