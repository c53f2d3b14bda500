"""Write every drawing anew: ``make pictures``."""

from __future__ import annotations

from tools.pictures.drawings import DRAWINGS, FOLDER

FOLDER.mkdir(exist_ok=True)
for name, drawing in DRAWINGS.items():
    (FOLDER / f"{name}.svg").write_text(drawing.render(), encoding="utf-8")
