"""The drawings of the documentation are those of the script, and can be read in both schemes."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest

from tools.pictures.drawings import DRAWINGS, FOLDER


def test_there_are_no_other_drawings():
    assert {file.stem for file in FOLDER.iterdir()} == DRAWINGS.keys()


@pytest.mark.parametrize("name", DRAWINGS)
def test_a_drawing_is_up_to_date(name):
    assert (FOLDER / f"{name}.svg").read_text() == DRAWINGS[name].render(), "run make pictures"


@pytest.mark.parametrize("name", DRAWINGS)
def test_a_drawing_stays_within_its_borders_and_says_what_it_shows(name):
    root = ElementTree.fromstring(DRAWINGS[name].render())
    width, height = int(root.get("width")), int(root.get("height"))
    space = "{http://www.w3.org/2000/svg}"
    assert root.findtext(f"{space}title")
    for box in root.iter(f"{space}rect"):
        assert 0 <= int(box.get("x")) <= width - int(box.get("width"))
        assert 0 <= int(box.get("y")) <= height - int(box.get("height"))
