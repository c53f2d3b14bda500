"""Stacks to test."""

from __future__ import annotations

from tests.examples.conftest import busybox_root, stack, write_stack

__all__ = ["busybox_root", "stack", "write_stack"]
