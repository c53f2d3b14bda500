"""Databases other than SQLite's in which rpm(8) keeps headers: a hash of Berkeley DB until 4.16, and slots at SUSE.

Sources: dbinc/db_page.h of Berkeley DB 5.3, lib/backend/ndb/rpmpkg.c of rpm 4.18. Bytes come from images, so each page
is followed once at most, and nothing is read beyond the end.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

# Berkeley DB: the first page says how long pages are, and in which byte order it all is.
_HASH = 0x061561
_PAGE_HEADER = 26
_ENTRIES, _NEXT, _FILLED, _KIND = 20, 16, 22, 25
_HASHED, _HASHED_UNSORTED, _OVERFLOW = 13, 2, 7
_HERE, _ELSEWHERE = 1, 3

# rpm's own: slots of 16 bytes in pages of 4096 at the beginning, then blobs at multiples of 16 bytes.
_OWN, _SLOT, _BLOB = b"RpmP", b"Slot", b"BlbS"
_SLOTS = struct.Struct("<4sIII")
_SLOT_PAGE = 4096
_BLOCK = 16


class DatabaseError(ValueError):
    """It is no such database, or damaged."""


def headers_of_hash(data: bytes) -> Iterator[bytes]:
    """data: ``Packages``. Raises DatabaseError."""
    order = next((one for one in "<>" if data[12:16] == struct.pack(f"{one}I", _HASH)), None)
    if order is None:
        raise DatabaseError("it is not a hash of Berkeley DB")
    (size,) = struct.unpack_from(f"{order}I", data, 20)
    if not 512 <= size <= 1 << 16 or size & (size - 1):
        raise DatabaseError(f"its pages have {size} bytes")
    pages = _Pages(data, order, size)
    for number in range(1, len(data) // size):
        if pages.kind(number) in (_HASHED, _HASHED_UNSORTED):
            yield from pages.values(number)


class _Pages:
    def __init__(self, data: bytes, order: str, size: int) -> None:
        self._data, self._order, self._size = data, order, size
        self._seen: set[int] = set()

    def kind(self, number: int) -> int:
        return self._data[number * self._size + _KIND]

    def values(self, number: int) -> Iterator[bytes]:
        """Those of a page whose items are keys and values in turn, written from its end."""
        page = self._data[number * self._size : (number + 1) * self._size]
        (count,) = struct.unpack_from(f"{self._order}H", page, _ENTRIES)
        if _PAGE_HEADER + 2 * count > self._size:
            raise DatabaseError(f"page {number} has {count} items")
        ends = (self._size, *struct.unpack_from(f"{self._order}{count}H", page, _PAGE_HEADER))
        for index in range(2, count + 1, 2):
            item = page[ends[index] : ends[index - 1]]
            if item[:1] == bytes((_HERE,)):
                yield item[1:]
            elif item[:1] == bytes((_ELSEWHERE,)) and len(item) == 12:
                yield self._chain(*struct.unpack_from(f"{self._order}II", item, 4))

    def _chain(self, number: int, length: int) -> bytes:
        """A value in pages of its own."""
        found, left = [], length
        while left > 0:
            start = number * self._size
            if number in self._seen or start + self._size > len(self._data) or self.kind(number) != _OVERFLOW:
                raise DatabaseError(f"page {number} does not continue a header")
            self._seen.add(number)
            (number,) = struct.unpack_from(f"{self._order}I", self._data, start + _NEXT)
            (filled,) = struct.unpack_from(f"{self._order}H", self._data, start + _FILLED)
            part = self._data[start + _PAGE_HEADER : start + min(_PAGE_HEADER + filled, self._size)]
            found.append(part)
            left -= len(part)
        return b"".join(found)[:length]


def headers_of_slots(data: bytes) -> Iterator[bytes]:
    """data: ``Packages.db``. Raises DatabaseError."""
    if len(data) < _SLOTS.size or not data.startswith(_OWN):
        raise DatabaseError("it is not a database of rpm's own kind")
    _, version, _, pages = _SLOTS.unpack_from(data)
    if version != 0 or pages * _SLOT_PAGE > len(data):
        raise DatabaseError(f"it has version {version} and {pages} pages of slots")
    used = 0
    for offset in range(2 * _SLOTS.size, pages * _SLOT_PAGE, _SLOTS.size):
        magic, package, block, _ = _SLOTS.unpack_from(data, offset)
        if magic != _SLOT:
            raise DatabaseError(f"there is no slot at byte {offset}")
        if not package:
            continue
        start = block * _BLOCK
        if start + _SLOTS.size > len(data):
            raise DatabaseError(f"package {package} lies beyond the end")
        magic, found, _, length = _SLOTS.unpack_from(data, start)
        used += length
        # Slots that share a blob would make much of little.
        if (magic, found) != (_BLOB, package) or used > len(data) or start + _SLOTS.size + length > len(data):
            raise DatabaseError(f"package {package} is damaged")
        yield data[start + _SLOTS.size : start + _SLOTS.size + length]
