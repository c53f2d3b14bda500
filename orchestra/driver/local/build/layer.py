"""The layers of a build: made of what a step wrote, and the blobs of them that its image has."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from orchestra.driver.local.build.records import BlobRecords

if TYPE_CHECKING:
    from orchestra.driver.local.build.layer_archives import LayerArchives
    from orchestra.driver.local.build.trees import Change, FileTree, Trees
    from orchestra.driver.local.image.content.store import ContentStore
    from orchestra.home import Home

Descriptor = dict[str, Any]


class Layers:
    """Safe across threads. epoch: the newest time that a file may have, in seconds, or None."""

    def __init__(self, home: Home, trees: Trees, content: ContentStore, epoch: int | None) -> None:
        self._trees, self._content, self._epoch = trees, content, epoch
        self._records = BlobRecords(home)
        self._opening = threading.Lock()
        self._opened: LayerArchives | None = None

    def close(self) -> None:
        if self._opened is not None:
            self._opened.close()

    def commit(self, tree: FileTree, change: Change, *, exported: bool) -> FileTree:
        """The tree with what was written; the same if nothing was. exported: its blob is soon asked for."""
        return self._archives().commit(tree, change, exported=exported)

    def blob(self, tree: FileTree, number: int) -> Descriptor:
        """The descriptor of a layer, which is made from its directory if there is none. number: among the tree's."""
        diff_id = tree.diff_ids[number]
        coming = self._opened.coming(diff_id) if self._opened else None
        known = coming or self._records.find(diff_id)
        if known is not None and self._content.size(known["digest"]) == known["size"]:
            return known
        return self._archives().pack_again(tree, number)

    def _archives(self) -> LayerArchives:
        """Its modules are not for a build in which nothing has changed."""
        with self._opening:
            if self._opened is None:
                from orchestra.driver.local.build.layer_archives import LayerArchives

                self._opened = LayerArchives(self._trees, self._content, self._records, self._epoch)
            return self._opened
