"""Stacks for dashboards."""

from __future__ import annotations

from tests.examples.conftest import busybox_root, write_shared_stack, write_stack

__all__ = ["busybox_root", "write_shared_stack", "write_stack"]
