"""What services used over the last minute, for small plots. Pure."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from orchestra.record import Record

if TYPE_CHECKING:
    from orchestra.stacks.overview import Overview

LENGTH = 60
"""Looks that are kept, one a second."""


class Plots(Record):
    """processor: percent of one processor; memory: bytes. The oldest first."""

    processor: tuple[float, ...] = ()
    memory: tuple[float, ...] = ()


class UsageHistory:
    def __init__(self) -> None:
        self._kept: dict[tuple[str, str], deque[tuple[float, float]]] = {}

    def add(self, overview: Overview) -> None:
        """Services that are gone are forgotten."""
        there = {}
        for stack in overview.stacks:
            for service in stack.services:
                key = stack.name, service.name
                kept = there[key] = self._kept.get(key) or deque(maxlen=LENGTH)
                kept.append((service.processor, float(service.memory)))
        self._kept = there

    def of(self, stack: str, service: str) -> Plots:
        kept = self._kept.get((stack, service), ())
        return Plots(tuple(each for each, _ in kept), tuple(each for _, each in kept))
