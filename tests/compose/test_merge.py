from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestra.compose.canonical import canonicalise
from orchestra.compose.merge import merge, settle
from orchestra.compose.nodes import Map, plain
from orchestra.compose.problems import Problems
from orchestra.compose.source import Source, parse_documents
from orchestra.compose.yaml_text import render_yaml


def canonical(text: str, problems: Problems) -> Map:
    (document,) = parse_documents(Source("f", text), problems)
    return canonicalise(document, problems)


def service(attributes: str) -> str:
    lines = "".join(f"    {line}\n" for line in attributes.splitlines())
    return f"services:\n  web:\n{lines}"


def merged(base: str, override: str) -> tuple[dict[str, object], Problems]:
    problems = Problems()
    document = merge(canonical(service(base), problems), canonical(service(override), problems), problems)
    return plain(settle(document))["services"]["web"], problems


@pytest.mark.parametrize(
    ("base", "override", "result"),
    [
        ("image: a", "image: b", {"image": "b"}),
        ("image: a", "image:", {"image": "a"}),
        ("command: a b", "command: c", {"command": ("c",)}),
        ("command: a b", "command:", {"command": None}),
        ("environment: [A=1, B=2]", "environment: {B: x, C: }", {"environment": {"A": "1", "B": "x", "C": None}}),
        ("environment: [A=1]", "environment: [A]", {"environment": {"A": None}}),
        ("cap_add: [A, B]", "cap_add: [B, C]", {"cap_add": ("A", "B", "C")}),
        ("dns: 1.1.1.1", "dns: [8.8.8.8, 1.1.1.1]", {"dns": ("1.1.1.1", "8.8.8.8")}),
        ("volumes: ['a1:/x', 'b1:/y']", "volumes: ['c1:/x']", None),
        ("networks: [a]", "networks: {a: {aliases: [x]}}", {"networks": {"a": {"aliases": ("x",)}}}),
        ("networks: {a: {aliases: [x]}}", "networks: [a]", {"networks": {"a": {"aliases": ("x",)}}}),
        ("build: .", "build: {target: t}", {"build": {"context": ".", "target": "t"}}),
        ("ulimits: {nofile: {soft: 1, hard: 2}}", "ulimits: {nofile: 5}", {"ulimits": {"nofile": 5}}),
        (
            "logging: {driver: a, options: {x: '1'}}",
            "logging: {options: {y: '2'}}",
            {"logging": {"driver": "a", "options": {"x": "1", "y": "2"}}},
        ),
        (
            "logging: {driver: a, options: {x: '1'}}",
            "logging: {driver: b}",
            {"logging": {"driver": "b"}},
        ),
        ("ports: ['80']\nimage: a", "ports: !reset []", {"image": "a"}),
        ("cap_add: [A]", "cap_add: !override [B]", {"cap_add": ("B",)}),
        ("env_file: a.env", "env_file: [b.env, {path: a.env, required: false}]", None),
    ],
)
def test_each_rule(base, override, result):
    found, problems = merged(base, override)
    assert problems.errors == ()
    if result is not None:
        assert found == result
    elif "volumes" in found:
        assert [(item["source"], item["target"]) for item in found["volumes"]] == [("c1", "/x"), ("b1", "/y")]
    else:
        assert found["env_file"] == ({"path": "a.env", "required": False}, {"path": "b.env", "required": True})


def test_a_published_port_is_added_and_an_equal_one_is_not():
    found, _ = merged("ports: ['80:80']", "ports: ['80:80', '81:80']")
    assert [port["published"] for port in found["ports"]] == ["80", "81"]


def test_a_mapping_over_a_list_is_refused_at_its_place():
    _, problems = merged("cap_add: [A]", "cap_add: {A: 1}")
    (error,) = problems.errors
    assert error.code == "cannot-merge"
    assert error.message == "a mapping cannot be merged with a list from f:3"


def test_pools_of_a_network_are_merged_by_their_subnet():
    problems = Problems()
    base = canonical("networks: {a: {ipam: {config: [{subnet: 10.0.0.0/8}]}}}", problems)
    override = canonical("networks: {a: {ipam: {config: [{subnet: 10.0.0.0/8, gateway: 10.0.0.1}]}}}", problems)
    network = plain(settle(merge(base, override, problems)))["networks"]["a"]
    assert network["ipam"]["config"] == ({"subnet": "10.0.0.0/8", "gateway": "10.0.0.1"},)


words = st.sampled_from(["a", "b", "c"])
services = st.fixed_dictionaries(
    {},
    optional={
        "image": words,
        "command": st.lists(words, max_size=2),
        "environment": st.dictionaries(words, st.one_of(st.none(), words), max_size=3),
        "cap_add": st.lists(words, max_size=3),
        "ports": st.lists(st.sampled_from(["80", "80:80", "81:80/udp"]), max_size=3),
        "volumes": st.lists(st.sampled_from(["xx:/a", "./x:/a", "yy:/b:ro"]), max_size=3),
        "depends_on": st.one_of(
            st.lists(words, max_size=2, unique=True),
            st.dictionaries(words, st.just({"condition": "service_healthy"}), max_size=2),
        ),
        "labels": st.dictionaries(words, words, max_size=2),
        "extra_hosts": st.lists(st.sampled_from(["a=1.1.1.1", "b=2.2.2.2"]), max_size=2),
    },
)
documents = st.dictionaries(st.sampled_from(["web", "db"]), services, max_size=2).map(
    lambda found: render_yaml({"services": found})
)


@given(documents, documents, documents)
def test_how_three_files_are_grouped_does_not_matter(first, second, third):
    problems = Problems()
    a, b, c = (canonical(text, problems) for text in (first, second, third))
    left = settle(merge(merge(a, b, problems), c, problems))
    right = settle(merge(a, merge(b, c, problems), problems))
    assert plain(left) == plain(right)
    assert problems.errors == ()


@given(documents)
def test_a_file_merged_with_itself_is_itself(text):
    problems = Problems()
    document = canonical(text, problems)
    assert plain(settle(merge(document, document, problems))) == plain(settle(document))
