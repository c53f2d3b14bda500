"""COPY and ADD, rule by rule, on real file trees."""

from __future__ import annotations

import io
import os
import tarfile

import pytest

from orchestra.build.step import ContextFiles, Copy, InlineFiles, MakeDirectory, Scratch
from orchestra.errors import OrchestraError
from orchestra.home import Home
from tests.driver.local.build.making import build, graph
from tests.driver.local.image.making import needs_root

pytestmark = needs_root


@pytest.fixture(scope="module")
def context(tmp_path_factory):
    top = tmp_path_factory.mktemp("context")
    for path, content in {
        "one.txt": "1",
        "two.txt": "2",
        "run.sh": "#!",
        "src/a.py": "a",
        "src/b.pyc": "b",
        "src/deep/c.py": "c",
        "docs/read.me": "r",
        "we[ird": "w",
        "data.gz": "plain",
    }.items():
        (top / path).parent.mkdir(parents=True, exist_ok=True)
        (top / path).write_text(content)
    (top / "run.sh").chmod(0o755)
    (top / "link").symlink_to("one.txt")
    (top / "linkdir").symlink_to("src")
    (top / "out").symlink_to("/etc/passwd")
    (top / "src/inner").symlink_to("../one.txt")
    for path in (top, *top.rglob("*")):
        if path.is_dir() and not path.is_symlink():
            path.chmod(0o755)
        elif not path.is_symlink() and path.name != "run.sh":
            path.chmod(0o644)
    os.chown(top / "two.txt", 7, 8)
    with tarfile.open(top / "app.tar.gz", "w:gz") as tar:
        for name, mode in (("bin/tool", 0o755), ("etc/conf", 0o600)):
            entry = tarfile.TarInfo(name)
            entry.mode, entry.size, entry.uid = mode, 1, 5
            tar.addfile(entry, io.BytesIO(b"t"))
    return top


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    path = tmp_path_factory.mktemp("home")
    return Home(f"{path}/data", f"{path}/run")


ONE, TWO = {"one.txt": "644 1"}, {"two.txt": "644 2"}
SRC = {"a.py": "644 a", "b.pyc": "644 b", "deep": "dir 755", "deep/c.py": "644 c", "inner": "-> ../one.txt"}


def below(top, files):
    parents = {"/".join(top.split("/")[: n + 1]): "dir 755" for n in range(len(top.split("/")))}
    return {**parents, **{f"{top}/{name}": what for name, what in files.items()}}


DEEP = {key: what for key, what in SRC.items() if key not in ("a.py", "b.pyc")}
UNPACKED = {"bin": "dir 755", "etc": "dir 755"}
TABLE = [
    # paths, destination, other fields, what is in the image
    ((("one.txt",), "/one.txt"), {}, ONE),
    ((("one.txt",), "/"), {}, ONE),
    ((("one.txt",), "/new"), {}, {"new": "644 1"}),
    ((("one.txt",), "/a/b/"), {}, below("a/b", ONE)),
    ((("one.txt",), "/a/b"), {}, {"a": "dir 755", "a/b": "644 1"}),
    ((("run.sh",), "/"), {}, {"run.sh": "755 #!"}),
    ((("two.txt",), "/"), {}, TWO),  # owners of a context are nobody's business
    ((("one.txt", "two.txt"), "/d/"), {}, below("d", ONE | TWO)),
    ((("src",), "/app"), {}, below("app", SRC)),
    ((("src/",), "/app/"), {}, below("app", SRC)),
    ((("src", "one.txt"), "/app/"), {}, below("app", SRC | ONE)),
    ((("*.txt",), "/"), {}, ONE | TWO),
    ((("one.tx?",), "/d/"), {}, below("d", ONE)),
    ((("[ot]*.txt",), "/"), {}, ONE | TWO),
    ((("s*",), "/app"), {}, below("app", SRC)),
    ((("src/*.py",), "/"), {}, {"a.py": "644 a"}),
    ((("*/*.py",), "/"), {}, {"a.py": "644 a"}),
    ((("nothing*", "one.txt"), "/d/"), {}, below("d", ONE)),
    ((("we\\[ird",), "/d/"), {}, below("d", {"we[ird": "644 w"})),
    ((("../../one.txt",), "/"), {}, ONE),
    ((("/one.txt",), "/"), {}, ONE),
    ((("link",), "/"), {}, {"link": "644 1"}),  # the link itself is followed
    ((("linkdir",), "/app"), {}, below("app", SRC)),
    ((("linkdir/a.py",), "/"), {}, {"a.py": "644 a"}),
    ((("one.txt",), "/"), {"owner": "12:34"}, {"one.txt": "644 12:34 1"}),
    ((("one.txt",), "/n/"), {"owner": "12"}, {"n": "dir 755 12:12", "n/one.txt": "644 12:12 1"}),
    ((("src/deep",), "/n"), {"mode": "750"}, {"n": "dir 755", "n/c.py": "750 c"}),
    ((("src/deep",), "/n"), {"mode": "u=rwX,go=rX"}, {"n": "dir 755", "n/c.py": "644 c"}),
    ((("one.txt",), "/"), {"mode": "u+x,g=,o-r"}, {"one.txt": "700 1"}),
    ((("one.txt",), "/"), {"mode": "4755"}, {"one.txt": "4755 1"}),
    ((("src",), "/app"), {"exclude": ("**/*.py",)}, below("app", {k: v for k, v in SRC.items() if k[-3:] != ".py"})),
    ((("src",), "/app"), {"exclude": ("deep", "inner")}, below("app", {"a.py": "644 a", "b.pyc": "644 b"})),
    ((("s*", "*.txt"), "/d/"), {"exclude": ("*.py*", "t*")}, below("d", ONE | DEEP)),
    ((("src/./deep/c.py", "one.txt"), "/d/"), {"parents": True, "exclude": ("deep",)}, below("d", ONE)),
    (
        (("src/a.py", "src/deep"), "/p/"),
        {"parents": True},
        below("p/src", {"a.py": "644 a", "deep": "dir 755", "deep/c.py": "644 c"}),
    ),
    ((("src/./deep/c.py",), "/p/"), {"parents": True}, below("p/deep", {"c.py": "644 c"})),
    (
        (("app.tar.gz",), "/o/"),
        {"unpack": True},
        below("o", {**UNPACKED, "bin/tool": "755 5:0 t", "etc/conf": "600 5:0 t"}),
    ),
    (
        (("app.tar.gz",), "/o/"),
        {"unpack": True, "owner": "9:9", "mode": "700"},
        below("o", {**UNPACKED, "bin/tool": "700 9:9 t", "etc/conf": "700 9:9 t"}) | {"o": "dir 755 9:9"},
    ),
    ((("data.gz",), "/"), {"unpack": True}, {"data.gz": "644 plain"}),
]  # fmt: skip


@pytest.mark.parametrize(
    ("words", "more", "expected"), TABLE, ids=[f"{row[0][0]} {row[0][1]} {row[1]}" for row in TABLE]
)
def test_copies_what_the_reference_says(home, context, words, more, expected):
    wanted = graph(Scratch(), ContextFiles(), Copy(0, 1, *words, **more))
    assert build(home, wanted, context).files() == expected


REFUSED = [
    (("missing",), {}, "/missing does not exist in the context"),
    (("out",), {}, "/out does not exist"),
    (("one.txt",), {"mode": "rwx"}, "not a mode"),
    (("one.txt",), {"owner": "nobody"}, "does not exist in the image"),
]


@pytest.mark.parametrize(("paths", "more", "message"), REFUSED)
def test_refuses(home, context, paths, more, message):
    wanted = graph(Scratch(), ContextFiles(), Copy(0, 1, paths, "/x", **more))
    with pytest.raises(OrchestraError, match=message):
        build(home, wanted, context)


def test_what_is_ignored_is_as_good_as_not_there(home, context):
    ignore = ("src", "!src/deep", "*.txt", "!one.txt")
    wanted = graph(Scratch(), ContextFiles(), Copy(0, 1, (".",), "/"))
    files = build(home, wanted, context, ignore=ignore).files()
    assert {path for path in files if "src" in path or ".txt" in path} == {
        "src",
        "src/deep",
        "src/deep/c.py",
        "one.txt",
    }
    wanted = graph(Scratch(), ContextFiles(), Copy(0, 1, ("two.txt",), "/"))
    with pytest.raises(OrchestraError, match="does not exist") as caught:
        build(home, wanted, context, ignore=ignore)
    assert "dockerignore" in caught.value.hint


def test_links_of_the_image_are_followed_and_never_lead_out_of_it(home, context, tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    (context / "trap").mkdir(exist_ok=True)
    for name, target in {"dir": str(outside), "up": "../../../../.." + str(outside), "file": "/no/such"}.items():
        (context / "trap" / name).unlink(missing_ok=True)
        (context / "trap" / name).symlink_to(target)
    wanted = graph(
        Scratch(),
        ContextFiles(),
        Copy(0, 1, ("trap",), "/"),
        Copy(2, 1, ("one.txt",), "/dir/x/"),
        Copy(3, 1, ("one.txt",), "/up/y"),
        Copy(4, 1, ("one.txt",), "/file"),
    )
    files = build(home, wanted, context).files()
    assert os.listdir(outside) == []
    own = str(outside).strip("/")
    assert files[f"{own}/x/one.txt"] == files[f"{own}/y"] == files["no/such"] == "644 1"
    assert (files["file"], files["no"]) == ("-> /no/such", "dir 755")


def test_devices_of_a_context_are_left_out(home, tmp_path):
    os.mknod(tmp_path / "device", 0o020666, os.makedev(1, 3))
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "file").write_text("f")
    (tmp_path / "file").chmod(0o644)
    files = build(home, graph(Scratch(), ContextFiles(), Copy(0, 1, (".",), "/")), tmp_path).files()
    assert sorted(files) == ["fifo", "file"]


def test_a_file_cannot_replace_a_directory_nor_a_directory_a_file(home, context):
    for first, second in (("src", "one.txt"), ("one.txt", "src")):
        one = MakeDirectory(0, "/a/x") if first == "src" else Copy(0, 1, ("one.txt",), "/a/x")
        wanted = graph(Scratch(), ContextFiles(), one, InlineFiles((("x", b"new"),)), Copy(2, 3, ("x",), "/a/"))
        if second == "src":
            wanted = graph(Scratch(), ContextFiles(), one, Copy(2, 1, ("src",), "/a/x"))
        with pytest.raises(OrchestraError, match="director"):
            build(home, wanted, context)


def test_stages_keep_owners_unless_others_are_asked_for(home, context):
    stage = (Scratch(), ContextFiles(), Copy(0, 1, ("one.txt",), "/s/", owner="3:4"))
    assert build(home, graph(*stage, Scratch(), Copy(3, 2, ("s",), "/t")), context).files() == {
        "t": "dir 755",
        "t/one.txt": "644 3:4 1",
    }
    assert build(home, graph(*stage, Scratch(), Copy(3, 2, ("s/one.txt",), "/", owner="5:6")), context).files() == {
        "one.txt": "644 5:6 1"
    }
