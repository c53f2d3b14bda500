"""The loader under libFuzzer: whatever the bytes of a Compose file, a load succeeds or ends in an error of ours.

    python tests/compose/fuzz_loader.py -max_total_time=60 CORPUS

The arguments are libFuzzer's; a crash leaves its input in the working directory, and every run, since libFuzzer ends
it without ado, a directory with the last file among temporary ones. ``tests/compose/test_fuzz.py`` runs it for a few
seconds.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["orchestra.compose"]):
    from orchestra.cli.render.diagnostics import render_diagnostics
    from orchestra.compose import LoadRequest, load, render_config
    from orchestra.errors import ComposeError, OrchestraError

WHERE = Path(tempfile.mkdtemp(prefix="orchestra-fuzz-"))
REQUEST = LoadRequest({"HOME": "/home/me", "TAG": "1"}, str(WHERE), files=("compose.yaml",), profiles=("*",))


def load_bytes(data: bytes) -> None:
    (WHERE / "compose.yaml").write_bytes(data)
    try:
        loaded = load(REQUEST)
    except ComposeError as error:
        render_diagnostics(error.diagnostics, color=False)
    except OrchestraError:
        pass
    else:
        # What is accepted can be printed, and what is printed is accepted.
        (WHERE / "compose.yaml").write_text(render_config(loaded.stack))
        assert render_config(load(REQUEST).stack, "json") == render_config(loaded.stack, "json")


if __name__ == "__main__":
    atheris.Setup(sys.argv, load_bytes)
    atheris.Fuzz()
