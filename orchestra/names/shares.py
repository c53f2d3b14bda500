"""Places shared by several owners, so that one of them cannot take what the others need."""

from __future__ import annotations

from collections import Counter


class Shares:
    """total: roughly the number of places: a late owner gets some even if all are taken.

    most: the limit for one owner; less if the total, divided among the owners that have places, is less.
    """

    def __init__(self, total: int, most: int) -> None:
        self._total = total
        self._most = most
        self._held: Counter[str] = Counter()

    def take(self, owner: str) -> bool:
        """Whether the owner gets another place, which it must give back."""
        owners = len(self._held) + (owner not in self._held)
        if self._held.get(owner, 0) >= max(1, min(self._most, self._total // owners)):
            return False
        self._held[owner] += 1
        return True

    def give_back(self, owner: str) -> None:
        self._held[owner] -= 1
        if not self._held[owner]:
            del self._held[owner]
