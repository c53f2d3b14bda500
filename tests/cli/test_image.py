"""``orchestra image``: what is here is listed, named, looked at, removed when nothing needs it, and checked."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys

import pytest

from orchestra.cli.render.sizes import describe_size
from orchestra.driver.local.image.library import Library
from orchestra.driver.local.image.naming.name import DEFAULT_HOST
from orchestra.driver.local.record import ContainerRecord, store_record
from orchestra.model.observed import Container, Created
from tests.cli.conftest import ByHand
from tests.driver.local.image.making import docker_archive, entry, layer, needs_root

pytestmark = needs_root

NAME = layer(entry("etc/name", content=b"this one"))
OTHER = layer(entry("etc/name", content=b"another"))


def digest_of(home, name):
    return Library(home).find(name).entry.digest


def make_container(home, name, digest, image="app:1"):
    """One that never ran, on paper."""
    ByHand(home)
    directory = home.stack("s").container(name)
    os.makedirs(directory)
    container = Container(name, "web", 1, f"id-{name}", "hash", image, digest, Created(), 0.0, command=("x",))
    store_record(directory, ContainerRecord(container))


def remove_container(home, name):
    directory = home.stack("s").container(name)
    for file in os.listdir(directory):
        os.unlink(f"{directory}/{file}")
    os.rmdir(directory)


def test_nothing_is_here_at_first(home, orchestra):
    assert orchestra("image", "ls") == (0, "REPOSITORY   TAG   IMAGE ID   CREATED   SIZE\n", "")
    assert orchestra("image", "ls", "-q") == (0, "", "")
    assert orchestra("image", "prune", "-f") == (0, "Total reclaimed space: 0B\n", "")
    assert orchestra("image", "fsck")[0] == 0


def test_images_are_listed_by_name(home, orchestra, put):
    one, other = put("app:1"), put("registry.test:5000/team/app:2", OTHER)
    rows = [json.loads(line) for line in orchestra("image", "ls", "--format", "json")[1].splitlines()]
    assert {(row["Repository"], row["Tag"], row["ID"]) for row in rows} == {
        ("app", "1", one[7:19]),
        ("registry.test:5000/team/app", "2", other[7:19]),
    }
    assert all(row["Size"].endswith("B") and row["CreatedSince"].endswith("ago") for row in rows)
    assert orchestra("image", "ls", "-q", "--no-trunc", "app")[1] == f"{one}\n"
    names = "{{.Repository}}:{{.Tag}}"
    assert orchestra("image", "ls", "--format", names, "app:*")[1] == "app:1\n"
    assert orchestra("image", "ls", "--format", names, "registry.test:5000/*/a*")[1].endswith("team/app:2\n")
    assert orchestra("image", "ls", "--format", names, "*/app")[1] == ""
    assert orchestra("image", "ls", "--format", names, f"{DEFAULT_HOST}/library/app")[1] == "app:1\n"
    table = orchestra("image", "ls", "--digests", "--no-trunc", "app")[1]
    assert table.splitlines()[0].split()[:3] == ["REPOSITORY", "TAG", "DIGEST"]
    assert f" {digest_of(home, 'app:1')}   {one}   " in table


def test_what_a_tag_has_moved_away_from_is_listed_on_demand(home, orchestra, put):
    old, new = put("app:1"), put("app:1", OTHER)
    assert orchestra("image", "ls", "-q", "--no-trunc")[1] == f"{new}\n"
    assert set(orchestra("image", "ls", "-aq", "--no-trunc")[1].split()) == {old, new}
    assert "<none>       <none>   " in orchestra("image", "ls", "-a")[1]
    assert orchestra("image", "tag", old[7:20], "saved:1")[0] == 0
    assert orchestra("image", "ls", "-q", "--no-trunc", "saved")[1] == f"{old}\n"


def test_a_template_may_name_what_an_image_does_not_have(orchestra, put):
    put("bare:1", NAME)
    template = "{{.Config.Env}} {{.Config.Labels}} [{{.Config.User}}] {{len .Config.Volumes}}"
    assert orchestra("image", "inspect", "-f", template, "bare:1")[1] == "[] map[] [] 0\n"


def test_an_image_is_described_in_dockers_format(home, orchestra, put):
    image_id = put("app:1", NAME, "-c", 'CMD ["run"]', "-c", 'ENV A=1 B="x y"', "-m", "by hand")
    code, out, _ = orchestra("image", "inspect", "app:1", image_id[7:19])
    first, second = json.loads(out)
    assert code == 0
    assert first == second
    assert first["Id"] == image_id
    assert first["RepoTags"] == [f"{DEFAULT_HOST}/library/app:1"]
    assert first["Config"] == {"Cmd": ["run"], "Env": ["A=1", "B=x y"]}
    assert orchestra("image", "inspect", "-f", "{{.Os}} {{json .Config.Cmd}}", "app:1")[1] == 'linux ["run"]\n'
    assert orchestra("image", "history", "-q", "--no-trunc", "app")[0] == 1
    assert orchestra("image", "history", "-q", "--no-trunc", "app:1")[1] == f"{image_id}\n"
    table = orchestra("image", "history", "app:1")[1].splitlines()
    assert table[0].split() == ["IMAGE", "CREATED", "CREATED", "BY", "SIZE", "COMMENT"]
    assert table[1].endswith("by hand")


def test_what_is_not_here_is_said_and_the_others_are_done(home, orchestra, put):
    put("app:1")
    code, out, err = orchestra("image", "inspect", "nothing:1", "app:1")
    assert (code, len(json.loads(out))) == (1, 1)
    assert err == "error: no such image: nothing:1\n  hint: list the images with `orchestra image ls -a`\n"
    code, out, err = orchestra("image", "rm", "nothing:1", "app:1")
    assert code == 1
    assert f"Untagged: {DEFAULT_HOST}/library/app:1\n" in out
    assert orchestra("image", "inspect", "-f", "{{.Nothing}}", "app:1")[0] == 1


def test_a_name_goes_and_the_image_with_its_last_one(home, orchestra, put):
    image_id = put("app:1")
    orchestra("image", "tag", "app:1", "app:2")
    assert orchestra("image", "rm", "app:1")[1] == f"Untagged: {DEFAULT_HOST}/library/app:1\n"
    assert orchestra("image", "rm", "app:2")[1] == f"Untagged: {DEFAULT_HOST}/library/app:2\nDeleted: {image_id}\n"
    assert os.listdir(f"{home.content}/blobs/sha256") == []
    assert os.listdir(f"{home.snapshots}/layers") == []


def test_an_id_of_several_names_takes_force(home, orchestra, put):
    image_id = put("app:1")
    orchestra("image", "tag", "app:1", "app:2")
    code, _, err = orchestra("image", "rm", image_id)
    assert code == 1
    assert f"several names: {DEFAULT_HOST}/library/app:1, {DEFAULT_HOST}/library/app:2" in err
    assert orchestra("image", "rm", "-f", image_id)[1].count("Untagged: ") == 2
    assert orchestra("image", "ls", "-aq")[1] == ""


def test_what_images_share_stays_until_the_last(home, orchestra, put):
    put("app:1", NAME, "-c", "CMD one")
    put("app:2", NAME, "-c", "CMD two")
    put("", NAME, "-c", "CMD three")
    assert len(os.listdir(f"{home.snapshots}/layers")) == 1
    orchestra("image", "rm", "app:1")
    assert orchestra("image", "fsck")[0] == 0
    orchestra("image", "rm", "app:2")
    (last,) = orchestra("image", "ls", "-aq")[1].split()
    assert len(os.listdir(f"{home.snapshots}/layers")) == 1
    assert orchestra("image", "rm", last)[1].startswith("Deleted: ")
    assert os.listdir(f"{home.content}/blobs/sha256") == []


def test_an_image_that_a_stopped_container_needs_is_not_removed(home, orchestra, put):
    image_id = put("app:1")
    make_container(home, "s-web-1", digest_of(home, "app:1"))
    code, _, err = orchestra("image", "rm", "app:1")
    assert code == 1
    assert err.startswith("error: image app:1 is used by s-web-1\n  hint: ")
    assert orchestra("image", "prune", "-af")[1] == "Total reclaimed space: 0B\n"
    orchestra("image", "tag", "app:1", "app:2")
    assert orchestra("image", "rm", "app:1")[1] == f"Untagged: {DEFAULT_HOST}/library/app:1\n"
    assert orchestra("image", "rm", "-f", "app:2")[1] == f"Untagged: {DEFAULT_HOST}/library/app:2\n"
    assert orchestra("image", "rm", "-f", image_id[7:19])[0] == 1
    assert orchestra("image", "ls", "-aq", "--no-trunc")[1] == f"{image_id}\n"
    remove_container(home, "s-web-1")
    assert f"deleted: {image_id}\n" in orchestra("image", "prune", "-f")[1]
    assert orchestra("image", "ls", "-aq")[1] == ""


def test_pruning_takes_what_has_no_name_and_on_demand_what_no_container_needs(home, orchestra, put):
    old, _, used = put("app:1"), put("app:1", OTHER), put("used:1", NAME, "-c", "CMD x")
    make_container(home, "s-web-1", digest_of(home, "used:1"), "used:1")
    out = orchestra("image", "prune", "-f")[1]
    assert out.startswith(f"Deleted Images:\ndeleted: {old}\n\nTotal reclaimed space: ")
    out = orchestra("image", "prune", "--all", "--force")[1]
    assert f"untagged: {DEFAULT_HOST}/library/app:1\n" in out
    assert not out.endswith(" 0B\n")
    assert orchestra("image", "ls", "-aq", "--no-trunc")[1] == f"{used}\n"
    assert orchestra("image", "fsck")[0] == 0


def test_pruning_asks_at_a_terminal_and_refuses_without_one(home, orchestra, put, tmp_path):
    put()
    environment = os.environ | {"ORCHESTRA_HOME": f"{tmp_path}/home"}
    command = [sys.executable, "-m", "orchestra", "image", "prune"]
    options = {"env": environment, "capture_output": True, "text": True, "check": False}
    refused = subprocess.run(command, stdin=subprocess.DEVNULL, **options)
    assert refused.returncode == 1
    assert "--force" in refused.stderr
    for answer, left in (("n", 1), ("", 1), ("y", 0)):
        master, slave = pty.openpty()
        os.write(master, f"{answer}\n".encode())
        done = subprocess.run(command, stdin=slave, **options)
        os.close(master)
        os.close(slave)
        assert done.returncode == 0
        assert done.stdout.startswith("WARNING! This will remove all unnamed images")
        assert len(orchestra("image", "ls", "-aq")[1].splitlines()) == left


def test_names_that_cannot_be_given_are_refused(home, orchestra, put):
    put("app:1")
    for target in (f"app@sha256:{'0' * 64}", "App:1", "app:!"):
        code, _, err = orchestra("image", "tag", "app:1", target)
        assert (code, err.startswith("error: ")) == (1, True)
    assert orchestra("image", "tag", "nothing", "app:2")[0] == 1
    assert orchestra("image", "rm", "rootfs:/")[0] == 1


def test_an_archive_that_was_pulled_is_called_by_its_reference(home, orchestra, tmp_path):
    reference = docker_archive(tmp_path / "a.tar", [NAME])
    code, out, err = orchestra("image", "pull", reference)
    assert (code, out.splitlines()[-1]) == (0, reference), err
    assert "Status: Read newer image for" in out
    assert "Status: Image is up to date for" in orchestra("image", "pull", reference)[1]
    assert orchestra("image", "ls", "--format", "{{.Repository}}")[1] == f"{reference}\n"
    assert orchestra("image", "tag", reference, "app:1")[0] == 0
    code, _, err = orchestra("image", "push", reference)
    assert code == 1
    assert "does not name a registry" in err
    assert orchestra("image", "rm", reference)[1] == f"Untagged: {reference}\n"
    assert orchestra("image", "ls", "--format", "{{.Repository}}:{{.Tag}}")[1] == "app:1\n"


def test_removing_waits_for_what_others_are_fetching_and_says_so(home, orchestra, put, tmp_path):
    put("app:1")
    environment = os.environ | {"ORCHESTRA_HOME": f"{tmp_path}/home"}
    for words in (["rm", "app:1"], ["prune", "-f"]):
        command = [sys.executable, "-m", "orchestra", "image", *words]
        options = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        with Library(home).content.held():
            process = subprocess.Popen(command, env=environment, text=True, **options)
            assert process.stderr.readline() == "Waiting for another command that is pulling or creating something.\n"
        out, _ = process.communicate(timeout=30)
        assert (process.returncode, bool(out)) == (0, True)


def test_damage_is_reported_with_a_hint_and_removed_on_request(home, orchestra, put):
    put("app:1")
    library = Library(home)
    (blob,) = library.find("app:1").parts.blobs
    with open(library.content.path(blob), "r+b") as file:
        file.write(b"?")
    code, out, _ = orchestra("image", "fsck")
    assert code == 1
    assert f"damaged: {blob}\n" in out
    assert f"incomplete: {DEFAULT_HOST}/library/app:1 lacks {blob}\n" in out
    assert "`orchestra image fsck --repair`" in out
    assert orchestra("image", "save", "-o", "out.tar", "app:1")[0] == 1
    assert os.listdir(".") == []
    code, out, _ = orchestra("image", "fsck", "--repair")
    assert code == 1
    assert f"damaged: {blob}, removed\n" in out
    assert f"Run `orchestra image pull {DEFAULT_HOST}/library/app:1` to pull it again, or load it again." in out
    code, out, _ = orchestra("image", "fsck")
    assert code == 1
    assert "damaged" not in out
    put("app:1")
    assert orchestra("image", "rm", "app:1")[0] == 0


def test_damage_of_no_image_is_gone_when_it_is_dropped(home, orchestra, put):
    put("app:1")
    with open(f"{home.content}/blobs/sha256/{'0' * 64}", "wb") as file:
        file.write(b"?")
    assert orchestra("image", "fsck")[0] == 1
    assert orchestra("image", "fsck", "--repair")[0] == 0
    assert orchestra("image", "fsck")[1].endswith("All images are complete and undamaged.\n")


def test_layers_that_are_not_unpacked_are_no_damage(home, orchestra, put):
    put("app:1")
    for name in os.listdir(f"{home.snapshots}/layers"):
        os.rename(f"{home.snapshots}/layers/{name}", f"{home.snapshots}/layers/{name}.new")
    code, out, _ = orchestra("image", "fsck")
    assert code == 0
    assert f"not unpacked: {DEFAULT_HOST}/library/app:1" in out


@pytest.mark.parametrize(
    ("size", "digits", "text"),
    [(0, 3, "0B"), (999, 3, "999B"), (1000, 3, "1kB"), (78_123_456, 3, "78.1MB"), (16_430_000, 4, "16.43MB")],
)
def test_sizes_are_written_as_docker_does(size, digits, text):
    assert describe_size(size, digits) == text
