"""What a wheel has beside the package, made while it is built: manual pages, completion scripts, the JSON Schema."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

# Below share: where bash-completion, zsh and fish look for the scripts of installed programs.
SCRIPTS = {
    "bash": "bash-completion/completions/orchestra",
    "zsh": "zsh/site-functions/_orchestra",
    "fish": "fish/vendor_completions.d/orchestra.fish",
}


class CustomBuildHook(BuildHookInterface):
    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        sys.path.insert(0, self.root)
        from orchestra.cli.completion import read_script
        from orchestra.compose.json_schema import compose_schema
        from tools.manual.pages import write_pages

        share = Path(self.root, "build", "share")
        shutil.rmtree(share, ignore_errors=True)
        write_pages(str(share / "man" / "man1"))
        texts = {place: read_script(shell) for shell, place in SCRIPTS.items()}
        texts["orchestra/compose.schema.json"] = json.dumps(compose_schema(), indent=2) + "\n"
        for place, text in texts.items():
            path = share / place
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        build_data["shared_data"][str(share)] = "share"
