"""Registries: the OCI distribution specification 1.1 and Docker's API v2, which differ only in media types.

Top to bottom: ``source`` and ``push`` know the parts of an image; ``repository`` calls the API of one repository;
``session`` retries, follows redirects and authenticates; only ``http`` and ``pace`` know the HTTP library.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from orchestra.driver.local.image.registry.patience import Patience

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Access:
    """How to access registries. environment: where to look for credentials, proxies and settings."""

    environment: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))
    patience: Patience = field(default_factory=Patience)
