"""What several services take from one place is told once, with the services that it concerns."""

from __future__ import annotations

STACK = """\
x-common: &common
  image: example/app
  {attribute}
services:
  one: {{<<: *common}}
  two: {{<<: *common}}
  three: {{<<: *common}}
"""


def test_repeated_warning(folder):
    (note,) = folder.load(STACK.format(attribute="storage_opt: {size: 1G}")).not_applied
    assert note.message == "storage_opt: the root file system has no quota (services one, three, two)"
    assert note.span.line == 3


def test_a_warning_of_one_service_names_no_others(folder):
    (note,) = folder.load("services:\n  one: {image: a, storage_opt: {size: 1G}}\n").not_applied
    assert note.message == "storage_opt: the root file system has no quota"


def test_a_repeated_error(folder):
    shown = folder.refused(STACK.format(attribute="restart: sometimes"))
    assert shown.count("not a valid restart policy") == 1
    assert "(services one, three, two)" in shown


def test_what_a_base_brings_by_extends(folder):
    folder.write("base.yaml", "services:\n  base:\n    image: a\n    isolation: hyperv\n")
    extends = "extends: {file: base.yaml, service: base}"
    (note,) = folder.load(f"services:\n  one: {{{extends}}}\n  two: {{{extends}}}\n").not_applied
    assert note.message.endswith("(services one, two)")
    assert note.span.path.endswith("base.yaml")


def test_the_same_words_at_two_places_are_two_warnings(folder):
    text = "services:\n  one: {image: a, storage_opt: {size: 1G}}\n  two: {image: a, storage_opt: {size: 1G}}\n"
    assert len(folder.load(text).not_applied) == 2
