import pytest

from orchestra.driver.local.image.naming.name import parse_name
from orchestra.driver.local.image.registry.places import Place, find_place, find_places
from orchestra.errors import FatalError

DIGEST = "sha256:" + "ab" * 32


@pytest.fixture
def places(tmp_path):
    def find(text, name):
        file = tmp_path / "registries.conf"
        file.write_text(text)
        return find_places(parse_name(name), {"CONTAINERS_REGISTRIES_CONF": str(file)})

    return find


def test_without_a_word_on_it_a_registry_is_asked_itself(places):
    assert places("", "registry.example:5000/a/b:1") == (
        Place("registry.example:5000", "registry.example:5000", "a/b", False),
    )


@pytest.mark.parametrize("host", ["localhost", "localhost:5000", "127.0.0.1:5000", "127.8.8.8", "[::1]:5000"])
def test_what_stays_on_this_machine_needs_no_certificate(places, host):
    assert places("", f"{host}/app")[0].insecure
    assert not places("", f"{host}.example/app")[0].insecure if "[" not in host and ":" not in host else True


def test_mirrors_come_first_and_keep_the_path_below_the_prefix(places):
    text = """
    [[registry]]
    prefix = "registry.example/team"
    location = "other.example/people"
    insecure = true
    [[registry.mirror]]
    location = "mirror.example:5000/cache"
    """
    found = places(text, "registry.example/team/app:1")
    assert [str(place) for place in found] == ["mirror.example:5000/cache/app", "other.example/people/app"]
    assert [place.insecure for place in found] == [False, True]
    assert str(places(text, "registry.example/teams/app")[0]) == "registry.example/teams/app"


def test_nothing_is_pushed_to_a_mirror(tmp_path):
    file = tmp_path / "r.conf"
    file.write_text('[[registry]]\nlocation = "a.example"\n[[registry.mirror]]\nlocation = "b.example"\n')
    assert str(find_place(parse_name("a.example/x"), {"CONTAINERS_REGISTRIES_CONF": str(file)})) == "a.example/x"


@pytest.mark.parametrize(("kind", "by_tag", "by_digest"), [("all", 2, 2), ("digest-only", 1, 2), ("tag-only", 2, 1)])
def test_mirrors_may_be_for_tags_or_digests_alone(places, kind, by_tag, by_digest):
    text = f"""
    [[registry]]
    location = "a.example"
    [[registry.mirror]]
    location = "b.example"
    pull-from-mirror = "{kind}"
    """
    assert len(places(text, "a.example/x:1")) == by_tag
    assert len(places(text, f"a.example/x@{DIGEST}")) == by_digest


def test_the_longest_prefix_counts(places):
    text = """
    [[registry]]
    location = "a.example"
    insecure = true
    [[registry]]
    location = "a.example/safe"
    """
    assert places(text, "a.example/x")[0].insecure
    assert not places(text, "a.example/safe/x")[0].insecure


def test_one_table_for_all_subdomains(places):
    text = '[[registry]]\nprefix = "*.example.org"\nlocation = "proxy.example/org"\n'
    assert str(places(text, "a.example.org/x/y")[0]) == "proxy.example/org/x/y"
    assert str(places(text, "example.org/x")[0]) == "example.org/x"


def test_a_blocked_registry_is_not_asked(places):
    with pytest.raises(FatalError, match="blocked"):
        places('[[registry]]\nlocation = "a.example"\nblocked = true\n', "a.example/x")


@pytest.mark.parametrize(
    "text",
    ["[[registry", "registry = 1", "[[registry]]\ninsecure = true", "[[registry]]\nlocation = 3",
     '[[registry]]\nlocation = "a"\n[[registry.mirror]]\ninsecure = true\n'],
)  # fmt: skip
def test_a_file_that_makes_no_sense_is_refused_by_name(places, text):
    with pytest.raises(FatalError, match=r"registries\.conf") as caught:
        places(text, "a.example/x")
    assert caught.value.hint
