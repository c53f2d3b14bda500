"""The root file system of the stacks."""

from __future__ import annotations

from tests.examples.conftest import busybox_root as busybox_root
