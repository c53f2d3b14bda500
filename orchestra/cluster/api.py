"""What is asked of the API: objects of a namespace, applied and read, and the output of containers."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING
from urllib.parse import quote

from orchestra.cluster.http import Http, Refused
from orchestra.cluster.kinds import ADDED, KINDS, Key, Object, key_of, path_of, selector
from orchestra.cluster.kubernetes_exec import KubernetesSession
from orchestra.cluster.lines import lines
from orchestra.errors import TemporaryError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

FIELD_MANAGER = "orchestra"
_PAGE = "500"
_GONE = 410


class Api:
    """One namespace of a cluster."""

    def __init__(self, http: Http, namespace: str) -> None:
        self.http = http
        self.namespace = namespace

    def has_namespace(self) -> bool:
        """One that may not be looked at is taken to exist."""
        try:
            self.http.request("GET", self._path("").rstrip("/"))
        except Refused as refused:
            if refused.status == 404:
                return False
            if refused.status != 403:
                raise
        return True

    def make_namespace(self) -> None:
        name = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": self.namespace}}
        self._apply(self._path("").rstrip("/"), name, {"fieldManager": FIELD_MANAGER})

    def find(self, key: Key) -> Object | None:
        try:
            return self.http.request("GET", path_of(self.namespace, *key))
        except Refused as refused:
            if refused.status == 404:
                return None
            raise

    def of_stack(self, stack: str, kinds: tuple[str, ...] = tuple(KINDS)) -> dict[Key, Object]:
        """All objects of these kinds."""
        found = {}
        for kind in kinds:
            try:
                items = self._list(path_of(self.namespace, kind), {"labelSelector": selector(stack)})
            except Refused as refused:
                if kind not in ADDED or refused.status not in (403, 404):
                    raise
                continue
            for item in items:
                # The API leaves it out of lists.
                item["kind"] = kind
                found[key_of(item)] = item
        return found

    def pods(self, stack: str) -> list[Object]:
        return self._list(*self.pods_path(stack))

    def pods_path(self, stack: str) -> tuple[str, dict[str, str]]:
        """Where the pods of a stack are, with the query that chooses them."""
        return self._path("pods"), {"labelSelector": selector(stack)}

    def events_path(self) -> str:
        return self._path("events")

    def warnings(self) -> list[Object]:
        """Events that something is wrong, of the last hour or so."""
        return self._list(self._path("events"), {"fieldSelector": "type=Warning"})

    def apply(self, item: Object, *, force: bool = False, dry: bool = False) -> Object:
        """Server-side apply; https://kubernetes.io/docs/reference/using-api/server-side-apply/.

        force: take fields over from other managers, which is refused otherwise. dry: nothing is changed.
        """
        query = {"fieldManager": FIELD_MANAGER, "force": "true" if force else "false"}
        if dry:
            query["dryRun"] = "All"
        return self._apply(path_of(self.namespace, *key_of(item)), item, query)

    def delete(self, key: Key) -> None:
        """Begin to remove it, with what belongs to it. No error if it does not exist."""
        body = {"kind": "DeleteOptions", "apiVersion": "v1", "propagationPolicy": "Foreground"}
        try:
            self.http.request("DELETE", path_of(self.namespace, *key), body=body)
        except Refused as refused:
            if refused.status != 404:
                raise

    def log(self, pod: str, *, follow: bool, tail: int | None, since: str = "") -> Iterator[bytes]:
        """Lines, each after its time and a space. Followed, a connection that is cut is made again."""
        query = {"timestamps": "true", "follow": "true" if follow else "false"}
        if tail is not None:
            query["tailLines"] = str(tail)
        if since:
            query["sinceTime"] = since
        last = seen = b""
        while True:
            try:
                with self.http.stream(f"{self._path('pods')}/{quote(pod, safe='')}/log", query) as chunks:
                    for line in lines(chunks):
                        moment = line.partition(b" ")[0]
                        if moment > seen:
                            last = moment
                            yield line
                return
            except TemporaryError:
                if not follow:
                    raise
                if last:
                    seen = last
                    query.pop("tailLines", None)
                    query["sinceTime"] = last.decode()

    def execute(self, pod: str, command: Sequence[str], *, terminal: bool) -> KubernetesSession:
        """Run another program in the first container of a pod."""
        return KubernetesSession(self.http, self.namespace, pod, command, terminal=terminal)

    def _path(self, plural: str) -> str:
        return f"/api/v1/namespaces/{quote(self.namespace, safe='')}/{plural}"

    def _apply(self, path: str, item: Object, query: dict[str, str]) -> Object:
        return self.http.request("PATCH", path, query, item, "application/apply-patch+yaml")

    def _list(self, path: str, query: dict[str, str]) -> list[Object]:
        return self.listed(path, query)[0]

    def listed(self, path: str, query: dict[str, str]) -> tuple[list[Object], str]:
        """All of a list, which comes in pages, and its version. When the rest of an old list is gone, from its
        beginning.
        """
        while True:
            with contextlib.suppress(_Expired):
                return self._pages(path, query)

    def _pages(self, path: str, query: dict[str, str]) -> tuple[list[Object], str]:
        found: list[Object] = []
        page = {**query, "limit": _PAGE}
        while True:
            try:
                answer = self.http.request("GET", path, page)
            except Refused as refused:
                if refused.status == _GONE and "continue" in page:
                    raise _Expired from refused
                raise
            found += answer.get("items") or ()
            metadata = answer.get("metadata") or {}
            token = metadata.get("continue")
            if not token:
                return found, str(metadata.get("resourceVersion") or "")
            page = {**page, "continue": str(token)}


class _Expired(Exception):
    """The rest of a list that was begun cannot be read any more."""
