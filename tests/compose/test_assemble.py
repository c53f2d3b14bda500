"""Several files, ``extends`` and ``include``."""

from __future__ import annotations


def spec(loaded, service):
    (found,) = loaded.desired.replicas(service)
    return found


def test_later_files_are_merged_over_earlier_ones_and_paths_start_at_the_first(folder):
    folder.write("one.yaml", "services: {web: {image: a, environment: {A: 1, B: 2}}}")
    folder.write("sub/two.yaml", "services: {web: {environment: [B=3], volumes: ['./x:/x']}, more: {image: b}}")
    loaded = folder.load(files=("one.yaml", "sub/two.yaml"))
    assert spec(loaded, "web").environment == {"A": "1", "B": "3"}
    assert spec(loaded, "web").mounts[0].source == str(folder / "x")
    assert loaded.desired.config_files == (str(folder / "one.yaml"), str(folder / "sub/two.yaml"))


def test_the_override_file_is_found_beside_the_default_one(folder):
    folder.write("compose.override.yaml", "services: {web: {hostname: over}}")
    assert spec(folder.load("services: {web: {image: a}}"), "web").hostname == "over"


def test_a_service_extends_another_of_the_same_file(folder):
    text = """\
services:
  base: {image: a, environment: {A: 1, B: 2}, cap_add: [KILL]}
  web: {extends: base, environment: {B: 3}, cap_add: [CHOWN]}
"""
    web = spec(folder.load(text), "web")
    assert (web.image, web.environment, web.cap_add) == ("a", {"A": "1", "B": "3"}, ("KILL", "CHOWN"))


def test_paths_of_an_extended_file_are_relative_to_it(folder):
    folder.write("lib/base.yaml", "services: {base: {image: a, volumes: ['./d:/d'], extends: root}, root: {user: '7'}}")
    web = spec(folder.load("services: {web: {extends: {file: lib/base.yaml, service: base}}}"), "web")
    assert web.mounts[0].source == str(folder / "lib/d")
    assert web.user == "7"


def test_services_that_extend_each_other_are_a_cycle(folder):
    text = "services:\n  a: {extends: b}\n  b: {extends: a}\n"
    refused = folder.refused(text)
    assert "services extend each other: a (compose.yaml) -> b (compose.yaml) -> a (compose.yaml) [cycle]" in refused


def test_extending_what_is_not_there_names_what_is(folder):
    folder.write("base.yaml", "services: {one: {image: x}}")
    refused = folder.refused("services: {a: {image: x, extends: {file: base.yaml, service: two}}}")
    assert "cannot extend service two: it is not declared in base.yaml [undefined]" in refused
    assert "hint: its services are one" in refused
    assert "no.yaml does not exist" in folder.refused("services: {a: {extends: {file: no.yaml, service: two}}}")


def test_an_included_file_is_a_project_of_its_own(folder):
    folder.write("lib/compose.yaml", "services: {db: {image: 'x:${TAG}', volumes: ['./d:/d'], environment: [TAG]}}")
    folder.write("lib/.env", "TAG=7")
    loaded = folder.load("include: [lib/compose.yaml]\nservices: {web: {image: a, depends_on: [db]}}\n")
    db = spec(loaded, "db")
    assert (db.image, db.mounts[0].source, db.environment) == ("x:7", str(folder / "lib/d"), {"TAG": "7"})
    assert spec(loaded, "web").rank == 1


def test_the_including_file_has_the_last_word(folder):
    folder.write("lib.yaml", "services: {db: {image: a, hostname: h}}")
    loaded = folder.load("include: [{path: [lib.yaml]}]\nservices: {db: {image: b}}\n")
    assert (spec(loaded, "db").image, spec(loaded, "db").hostname) == ("b", "h")


def test_files_that_include_each_other_are_a_cycle(folder):
    folder.write("lib.yaml", "include: [compose.yaml]\nservices: {db: {image: a}}")
    refused = folder.refused("include: [lib.yaml]\nservices: {}\n")
    assert "files include each other: compose.yaml -> lib.yaml -> compose.yaml [cycle]" in refused


def test_several_documents_of_one_file_are_merged(folder):
    loaded = folder.load("services: {web: {image: a, hostname: h}}\n---\nservices: {web: {image: b}}\n")
    assert (spec(loaded, "web").image, spec(loaded, "web").hostname) == ("b", "h")
