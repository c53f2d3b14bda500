"""What becomes of each attribute of Compose on this machine: the table in docs/reference/compose-attributes.md.

    python -m orchestra.stacks.compatibility docs/reference/compose-attributes.md

writes it anew between its two marks in the page; a test fails when the page is out of date.
"""

from __future__ import annotations

import sys
from pathlib import Path

from orchestra.driver.local.unsupported import UNSUPPORTED, UNSUPPORTED_IN_USE

LACKS = {**UNSUPPORTED, **UNSUPPORTED_IN_USE}


def main(file: Path) -> None:
    from orchestra.compose.compatibility import renew

    file.write_text(renew(file.read_text(encoding="utf-8"), LACKS), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
