"""Registries: the OCI distribution specification 1.1 and Docker's API v2, which differ by media types only.

Top to bottom: ``source`` and ``push`` know what an image consists of; ``repository`` speaks the API of one repository;
``session`` has patience, follows redirects and proves who it is; ``http`` and ``pace`` alone know the HTTP library.
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
    """How registries are asked. environment: where credentials, proxies and settings are looked for."""

    environment: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))
    patience: Patience = field(default_factory=Patience)
