"""Files from elsewhere: the caller of the loader fetches them, and the loader reads the local copies."""

from __future__ import annotations

import pytest

from orchestra.compose import LoadRequest, load
from orchestra.compose.assemble import MAXIMUM_INCLUDED
from orchestra.errors import ComposeError, ComposeFileNotFound, UserError

SHOP = "services: {web: {image: x, env_file: ./web.env, volumes: ['./site:/www']}}\n"


@pytest.fixture
def elsewhere(tmp_path):
    """What ``oci://shop`` is, and who fetches it; each request is noted."""
    there = tmp_path / "copies/shop"
    there.mkdir(parents=True)
    (there / "compose.yaml").write_text(SHOP)
    (there / "web.env").write_text("FROM=there\n")
    asked = []

    def fetch(reference):
        asked.append(reference)
        if reference != "oci://shop":
            raise UserError(f"{reference} is not there", hint="look elsewhere")
        return str(there / "compose.yaml")

    fetch.asked = asked
    return fetch


@pytest.fixture
def here(tmp_path):
    (tmp_path / "here").mkdir()
    return tmp_path / "here"


def request(here, fetch, *files, **environment):
    return LoadRequest(environment=environment, working_directory=str(here), files=files, fetch=fetch)


def test_a_stack_lives_where_it_was_fetched_to(here, elsewhere, tmp_path):
    loaded = load(request(here, elsewhere, "oci://shop"))
    web = loaded.stack.services["web"]
    assert loaded.stack.name == "shop"
    assert web.volumes[0].source == f"{tmp_path}/copies/shop/site"
    assert web.environment["FROM"] == "there"
    assert loaded.inputs.fetched == {"oci://shop": f"{tmp_path}/copies/shop/compose.yaml"}


def test_an_own_file_is_merged_over_it(here, elsewhere):
    (here / "own.yaml").write_text("services: {web: {image: y}}\n")
    loaded = load(request(here, elsewhere, "oci://shop", "own.yaml"))
    assert loaded.stack.services["web"].image == "y"


def test_a_local_file_needs_nothing_fetched(here, elsewhere):
    (here / "compose.yaml").write_text("services: {web: {image: x}}\n")
    assert load(request(here, elsewhere)).inputs.fetched == {}
    assert elsewhere.asked == []


@pytest.mark.parametrize("text", ["include: ['oci://shop']\n", "include: [{path: ['oci://shop']}]\n"])
def test_include_fetches(here, elsewhere, tmp_path, text):
    (here / "compose.yaml").write_text(text)
    loaded = load(request(here, elsewhere))
    assert loaded.stack.name == "here"
    assert loaded.stack.services["web"].volumes[0].source == f"{tmp_path}/copies/shop/site"


def test_extends_fetches_once(here, elsewhere, tmp_path):
    (here / "compose.yaml").write_text(
        "services:\n  a: &a {extends: {file: 'oci://shop', service: web}}\n  b: *a\ninclude: ['oci://shop']\n"
    )
    loaded = load(request(here, elsewhere))
    assert loaded.stack.services["b"].volumes[0].source == f"{tmp_path}/copies/shop/site"
    assert elsewhere.asked == ["oci://shop"]


def test_compose_file_may_name_one(here, elsewhere):
    loaded = load(request(here, elsewhere, COMPOSE_FILE="oci://shop", COMPOSE_PATH_SEPARATOR=","))
    assert loaded.stack.name == "shop"


def test_the_env_file_here_comes_before_the_one_there(here, elsewhere, tmp_path):
    (tmp_path / "copies/shop/compose.yaml").write_text("services: {web: {image: '${A}-${B}'}}\n")
    (tmp_path / "copies/shop/.env").write_text("A=there\nB=there\n")
    (here / ".env").write_text("A=here\n")
    assert load(request(here, elsewhere, "oci://shop")).stack.services["web"].image == "here-there"


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("services: {}\ninclude:\n  - oci://other\n", (3, 5)),
        ("services:\n  a:\n    extends: {file: oci://other, service: a}\n", (3, 21)),
    ],
)
def test_what_cannot_be_fetched_is_told_where_it_is_named(here, elsewhere, text, place):
    (here / "compose.yaml").write_text(text)
    with pytest.raises(ComposeError) as refused:
        load(request(here, elsewhere))
    (found,) = refused.value.diagnostics
    assert (found.code, found.message, found.hint) == ("unreachable-file", "oci://other is not there", "look elsewhere")
    assert (found.span.line, found.span.column) == place


def test_a_stack_that_cannot_be_fetched_is_no_missing_file(here, elsewhere):
    with pytest.raises(ComposeError, match="oci://other is not there"):
        load(request(here, elsewhere, "oci://other"))


def test_a_file_that_includes_itself_from_elsewhere_is_a_cycle(here, elsewhere, tmp_path):
    (tmp_path / "copies/shop/compose.yaml").write_text("include: ['oci://shop']\n")
    with pytest.raises(ComposeError, match="files include each other"):
        load(request(here, elsewhere, "oci://shop"))
    assert len(elsewhere.asked) == 1 < MAXIMUM_INCLUDED


def test_nothing_is_fetched_by_a_loader_that_was_given_nobody_to_ask(here):
    with pytest.raises(ComposeFileNotFound, match="only local files can be read"):
        load(request(here, None, "oci://shop"))
