"""What configs and secrets become: binds, files of the container's own, or remarks."""

from __future__ import annotations

import pytest

from orchestra.cli.render.diagnostics import render_diagnostics
from orchestra.compose import render_config
from orchestra.model.mount import BindMount, FileMount


def mounts(folder, service: str, declared: str, **changes):
    """``service``: what web says of it; ``declared``: the top level. The mounts of web, and the load."""
    loaded = folder.load(f"services:\n  web: {{image: x, {service}}}\n{declared}\n", **changes)
    return loaded.desired.replicas("web")[0].mounts, loaded


def test_a_content_is_a_file_of_the_containers_own(folder):
    found, _ = mounts(folder, "configs: [c]", "configs: {c: {content: 'a $$b'}}")
    assert found == (FileMount("/c", content="a $b", declared="config c"),)


def test_a_variable_is_a_file_of_the_containers_own(folder):
    folder.write(".env", "TOKEN=abc\n")
    found, loaded = mounts(folder, "secrets: [{source: t, target: token}]", "secrets: {t: {environment: TOKEN}}")
    assert found == (FileMount("/run/secrets/token", content="abc", declared="secret t"),)
    assert not loaded.warnings
    assert not loaded.not_applied
    assert "abc" not in render_config(loaded.stack)
    assert "abc" not in repr(loaded.desired)


def test_a_variable_of_an_included_file_is_the_one_that_it_sees(folder):
    folder.write("one.env", "TOKEN=one\n")
    folder.write("two.env", "TOKEN=two\n")
    for name in ("one", "two"):
        service = f"services: {{{name}: {{image: x, secrets: [{name}]}}}}\n"
        folder.write(f"{name}.yaml", f"{service}secrets: {{{name}: {{environment: TOKEN}}}}\n")
    text = "include: [{path: one.yaml, env_file: one.env}, {path: two.yaml, env_file: two.env}]\n"
    loaded = folder.load(text)
    assert not loaded.warnings
    found = {name: loaded.desired.replicas(name)[0].mounts[0] for name in ("one", "two")}
    assert {name: mount.content for name, mount in found.items()} == {"one": "one", "two": "two"}
    folder.write("one.env", "TOKEN=other\n")
    again = folder.load(text)
    assert {name for name in found if again.hashes[name] != loaded.hashes[name]} == {"one"}


def test_a_file_is_bound_unless_it_is_to_be_another_users(folder):
    path = folder.write("key", "k")
    found, _ = mounts(folder, "secrets: [s]", "secrets: {s: {file: ./key}}")
    assert found == (BindMount("/run/secrets/s", path, read_only=True, declared="secret s"),)
    found, _ = mounts(folder, "secrets: [{source: s, uid: '70', gid: '71', mode: 0400}]", "secrets: {s: {file: ./key}}")
    assert found == (FileMount("/run/secrets/s", path, uid=70, gid=71, mode=0o400, declared="secret s"),)


def test_an_unset_variable_is_reported_where_it_is_named(folder):
    found, loaded = mounts(folder, "secrets: [t]", "secrets:\n  t:\n    environment: TOKEN")
    assert found == (FileMount("/run/secrets/t", declared="secret t"),)
    told = render_diagnostics(loaded.warnings, color=False, severity="warning", directory=str(folder.path))
    assert told == (
        "warning: compose.yaml:5:18: "
        "the variable TOKEN, which is to be mounted at /run/secrets/t, is not set [unset-variable]\n"
        "  5 |     environment: TOKEN\n"
        "    |                  ^^^^^\n"
        "  hint: set TOKEN in the environment or in .env\n"
    )


@pytest.mark.parametrize(
    ("declared", "refusal"),
    [
        ("external: true", "unsupported external secret s: there is no store of configs and secrets"),
        ("file: ./s, driver: vault", "unsupported driver of secret s: secrets.*.driver is for Swarm"),
        ("file: ./s, template_driver: golang", "unsupported template_driver of secret s: secrets.*.template_driver "),
    ],
)
def test_what_is_for_swarm_is_left_to_be_refused(declared, refusal, folder):
    folder.write("s", "")
    found, loaded = mounts(folder, "secrets: [{source: s, target: t}]", f"secrets: {{s: {{{declared}}}}}")
    assert found == (FileMount("/run/secrets/t", declared="secret s", refusal=found[0].refusal),)
    assert found[0].refusal.startswith(refusal)
    assert not loaded.not_applied


@pytest.mark.parametrize("name", ["postgres", "-1", "4294967295", "9" * 30, "\u0663"])
def test_an_owner_that_is_not_a_number_is_reported_as_not_applied(name, folder):
    found, loaded = mounts(folder, f"configs: [{{source: c, uid: '{name}'}}]", "configs: {c: {content: x}}")
    assert found[0].uid is None
    assert [note.message for note in loaded.not_applied] == [f"uid: {name} is not a valid number for the kernel"]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("content: a", "content: b"),
        ("environment: A", "environment: B"),
        ("content: a", "environment: A"),
    ],
)
def test_another_content_is_another_container(one, other, folder):
    folder.write(".env", "A=1\nB=2\n")
    first, second = (mounts(folder, "configs: [c]", f"configs: {{c: {{{text}}}}}")[1].hashes for text in (one, other))
    assert first != second


def test_another_value_of_a_variable_is_another_container(folder):
    hashes = set()
    for value in ("1", "2"):
        folder.write(".env", f"A={value}\n")
        hashes.add(mounts(folder, "secrets: [c]", "secrets: {c: {environment: A}}")[1].hashes["web"])
    assert len(hashes) == 2


def test_a_containers_own_files_are_inherited_with_volumes(folder):
    text = "services: {a: {image: x, configs: [c]}, b: {image: x, volumes_from: [a]}}\nconfigs: {c: {content: x}}\n"
    assert folder.load(text).desired.replicas("b")[0].mounts == (FileMount("/c", content="x", declared="config c"),)
