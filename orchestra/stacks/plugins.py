"""Programs that extend Docker Compose: Docker's plugins, which work with Orchestra too."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

DIRECTORIES = ("~/.docker/cli-plugins", "/usr/local/lib/docker/cli-plugins", "/usr/lib/docker/cli-plugins")


def find_plugin(environment: Mapping[str, str], name: str, *, otherwise: str = "") -> str | None:
    """The path of a program: Docker's plugin of this name, otherwise a program in PATH. otherwise: its name there."""
    home = environment.get("HOME", "/root")
    places = [place.replace("~", home, 1) for place in DIRECTORIES]
    plugin = shutil.which(name, path=os.pathsep.join(places))
    return plugin or shutil.which(otherwise or name, path=environment.get("PATH", os.defpath))
