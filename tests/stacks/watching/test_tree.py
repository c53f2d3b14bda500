"""What notices mean, in a real directory. After any changes, a container holds what the host holds."""

from __future__ import annotations

import os
import shutil

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from orchestra.driver.local.copying.mirror import Mirroring, mirror_into
from orchestra.driver.local.copying.place import Inside
from orchestra.stacks.watching.patterns import Patterns
from orchestra.stacks.watching.tree import Changes, Notice, Tree
from tests.stacks.watching.conftest import rule

ADDED, MODIFIED, DELETED = Notice.ADDED, Notice.MODIFIED, Notice.DELETED


class Kernel:
    """inotify(7) on one machine: notices of entries of watched directories, by the names that these had."""

    def __init__(self) -> None:
        self._watched = {}
        self.notices = {}

    def watch(self, directories):
        self._watched = {_identity(path): path for path in directories if os.path.isdir(path)}

    def tell(self, path, kind):
        above, name = os.path.split(path)
        known = self._watched.get(_identity(above))
        if known is not None:
            self.notices.setdefault(f"{known}/{name}", set()).add(kind)

    def tell_self(self, path, kind):
        """Of a watched directory itself."""
        self.tell(path, kind)
        known = self._watched.get(_identity(path))
        if known is not None:
            self.notices.setdefault(known, set()).add(kind)
        if kind is DELETED:
            self._watched.pop(_identity(path), None)

    def take(self):
        taken, self.notices = self.notices, {}
        return taken


def _identity(path):
    status = os.stat(path)
    return status.st_dev, status.st_ino


class Host:
    """A project with ``src``, changed through calls that the kernel tells of."""

    def __init__(self, top) -> None:
        self.top = str(top)
        self.kernel = Kernel()

    def at(self, path):
        return f"{self.top}/{path}" if path else self.top

    def place(self, path):
        """Where to make a change. OSError for a way through a link, which would lead elsewhere."""
        own = self.at(path)
        if os.path.realpath(os.path.dirname(own)) != os.path.dirname(own):
            raise NotADirectoryError(own)
        return own

    def write(self, path, text="text"):
        own = self.place(path)
        kind = MODIFIED if os.path.lexists(own) else ADDED
        with os.fdopen(os.open(own, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW), "w") as file:
            file.write(text)
        self.kernel.tell(own, kind)

    def mkdir(self, path):
        own = self.place(path)
        os.mkdir(own)
        self.kernel.tell(own, ADDED)

    def plant(self, path, text):
        """With the directories above it."""
        parts = path.split("/")
        for count in range(1, len(parts)):
            if not os.path.lexists(self.at("/".join(parts[:count]))):
                self.mkdir("/".join(parts[:count]))
        self.write(path, text)

    def replace(self, path):
        """Another directory takes its place, and nothing in it is removed by itself."""
        self.rename(path, f"aside-{len(os.listdir(self.top))}")
        self.mkdir(path)

    def link(self, path, target):
        own = self.place(path)
        os.symlink(target, own)
        self.kernel.tell(own, ADDED)

    def remove(self, path):
        own = self.place(path)
        if os.path.isdir(own) and not os.path.islink(own):
            for name in os.listdir(own):
                self.remove(f"{path}/{name}")
            self.kernel.tell_self(own, DELETED)
            os.rmdir(own)
        else:
            os.unlink(own)
            self.kernel.tell(own, DELETED)

    def rename(self, path, new):
        own, other = self.place(path), self.place(new)
        if os.path.isdir(other) and not os.path.islink(other):
            self.remove(new)
        os.rename(own, other)
        self.kernel.tell(own, DELETED)
        self.kernel.tell(other, ADDED)

    def save(self, path, text):
        """As editors do: a new file takes the old one's name."""
        self.write(f"{path}.new", text)
        self.rename(f"{path}.new", path)


class Followed:
    """A tree that is watched, as the use case does it."""

    def __init__(self, host, path="src", **more) -> None:
        watched = rule(path=host.at(path), **more)
        self.host = host
        self.patterns = Patterns(watched, "")
        self.tree = Tree(watched.path, self.patterns)
        self.tree.look()
        self.settle()

    def settle(self, between=lambda: None):
        found = frozenset()
        while self.tree.is_fresh:
            between()
            self.host.kernel.watch(self.tree.directories)
            found |= self.tree.settle()
        return found

    def changes(self, between=lambda: None):
        notices = self.host.kernel.take()
        changes = self.tree.update(notices) if notices else Changes()
        return Changes(changes.removed, changes.changed | self.settle(between))

    def sets(self):
        found = self.changes()
        return sorted(found.changed), sorted(found.removed)


@pytest.fixture
def host(tmp_path):
    (tmp_path / "project/src/sub").mkdir(parents=True)
    (tmp_path / "project/src/a").write_text("a")
    (tmp_path / "project/src/sub/b").write_text("b")
    return Host(tmp_path / "project")


def test_files_are_written_and_removed(host):
    followed = Followed(host)
    host.write("src/a", "more")
    host.write("src/sub/new")
    host.remove("src/sub/b")
    assert followed.sets() == (["a", "sub/new"], ["sub/b"])
    assert followed.sets() == ([], [])


def test_an_atomic_save_changes_one_file(host):
    followed = Followed(host)
    host.save("src/a", "saved")
    assert followed.sets() == (["a"], ["a.new"])


def test_a_file_written_and_removed_at_once_is_gone(host):
    followed = Followed(host)
    host.write("src/c")
    host.remove("src/c")
    assert followed.sets() == ([], ["c"])


def test_everything_in_a_new_directory_is_found_also_what_comes_before_it_is_watched(host):
    followed = Followed(host)
    host.mkdir("src/new")
    host.mkdir("src/new/deep")
    host.write("src/new/deep/file")
    late = iter([lambda: (host.mkdir("src/new/late"), host.write("src/new/late/file"))])
    found = followed.changes(between=lambda: next(late, lambda: None)())
    assert sorted(found.changed) == ["new", "new/deep", "new/deep/file", "new/late", "new/late/file"]
    host.write("src/new/late/file", "again")
    assert followed.sets() == (["new/late/file"], [])


def test_a_renamed_directory_is_another_one(host):
    followed = Followed(host)
    host.rename("src/sub", "src/moved")
    host.write("src/moved/c")
    assert followed.sets() == (["moved", "moved/b", "moved/c"], ["sub"])
    host.write("src/moved/b", "again")
    assert followed.sets() == (["moved/b"], [])


def test_a_replaced_directory_is_first_removed(host):
    followed = Followed(host)
    host.rename("src/sub", "elsewhere")
    host.mkdir("src/sub")
    host.write("src/sub/c")
    assert followed.sets() == (["sub", "sub/c"], ["sub"])
    host.write("src/sub/d")
    assert followed.sets() == (["sub/d"], [])


def test_a_directory_with_another_mode_is_only_itself(host):
    followed = Followed(host)
    host.kernel.tell_self(host.at("src/sub"), MODIFIED)
    assert followed.sets() == (["sub"], [])
    host.kernel.tell_self(host.at("src"), MODIFIED)
    assert followed.sets() == ([], [])


def test_a_link_to_a_directory_is_copied_and_not_entered(host, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere/file").write_text("not ours")
    followed = Followed(host)
    host.link("src/link", "../../elsewhere")
    host.rename("src/sub", "moved")
    host.link("src/sub", "../moved")
    assert followed.sets() == (["link", "sub"], ["sub"])
    assert host.at("src/link") not in followed.tree.directories


def test_what_is_ignored_is_neither_told_nor_watched(host):
    os.mkdir(host.at("src/node_modules"))
    followed = Followed(host, ignore=("node_modules", "*.log"))
    assert host.at("src/node_modules") not in followed.tree.directories
    host.write("src/x.log")
    host.mkdir("src/node_modules/package")
    host.write("src/a", "more")
    assert followed.sets() == (["a"], [])


def test_only_what_is_included_is_told(host):
    followed = Followed(host, include=("**/*.py",))
    host.mkdir("src/new")
    host.write("src/new/a.py")
    host.write("src/new/a.txt")
    assert followed.sets() == (["new/a.py"], [])
    host.rename("src/new", "src/old")
    assert followed.sets() == (["old/a.py"], ["new"])


def test_the_whole_directory_may_go_and_come_back(host):
    followed = Followed(host)
    host.remove("src")
    changed, removed = followed.sets()
    assert changed == []
    assert "" in removed
    host.mkdir("src")
    host.write("src/a")
    assert followed.sets() == (["", "a"], [])
    host.write("src/a", "again")
    assert followed.sets() == (["a"], [])


def test_a_directory_that_is_not_there_yet_is_awaited_with_its_parents(host):
    followed = Followed(host, path="later/deep/src")
    assert followed.tree.directories == [host.top]
    host.mkdir("later")
    assert followed.sets() == ([], [""])
    host.mkdir("later/deep")
    host.mkdir("later/deep/src")
    host.write("later/deep/src/file")
    assert followed.sets() == (["", "file"], [])
    host.write("later/deep/src/file", "again")
    assert followed.sets() == (["file"], [])


def test_a_single_file_is_watched_through_its_directory(host):
    followed = Followed(host, path="src/a")
    host.write("src/sub/b", "other")
    assert followed.sets() == ([], [])
    host.write("src/a", "more")
    assert followed.sets() == ([""], [])
    host.save("src/a", "saved")
    assert followed.sets() == ([""], [])
    host.remove("src/a")
    assert followed.sets() == ([], [""])
    host.write("src/a")
    assert followed.sets() == ([""], [])


def test_a_link_as_the_path_is_followed(host):
    os.symlink("src", host.at("current"))
    followed = Followed(host, path="current")
    host.write("src/a", "more")
    assert followed.sets() == (["a"], [])
    os.mkdir(host.at("next"))
    host.remove("current")
    host.link("current", "next")
    host.write("next/c")
    assert followed.sets() == (["", "c"], [""])


PATHS = st.sampled_from(["a", "b", "a/b", "a/b/c"]).map("src/{}".format)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("plant"), PATHS, st.text("xy", max_size=3)),
        st.tuples(st.just("write"), PATHS, st.text("xy", max_size=3)),
        st.tuples(st.just("save"), PATHS, st.text("xy", max_size=3)),
        st.tuples(st.just("mkdir"), PATHS),
        st.tuples(st.just("link"), PATHS, st.sampled_from(["a", "..", "nowhere", "../src"])),
        st.tuples(st.just("remove"), PATHS),
        st.tuples(st.just("replace"), PATHS),
        st.tuples(st.just("rename"), PATHS, PATHS),
        st.tuples(st.just("remove"), st.just("src")),
        st.tuples(st.just("mkdir"), st.just("src")),
        st.just(("deliver",)),
        st.just(("deliver",)),
        st.just(("deliver",)),
        st.just(("deliver",)),
        st.just(("late",)),
    ),
    min_size=10,
    max_size=40,
)


def contents(top):
    """Every entry below a directory, with its kind and what it holds."""
    found = {}
    for parent, directories, files in os.walk(top):
        for name in (*directories, *files):
            path = f"{parent}/{name}"
            key = os.path.relpath(path, top)
            if os.path.islink(path):
                found[key] = ("link", os.readlink(path))
            elif os.path.isdir(path):
                found[key] = ("directory",)
            else:
                with open(path) as file:
                    found[key] = ("file", file.read())
    return found


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="owners need root")
@settings(max_examples=100)
@example(steps=[("plant", "src/a/b", "x"), ("deliver",), ("replace", "src/a"), ("deliver",)])
@given(steps=STEPS)
def test_after_any_changes_in_any_batches_the_container_holds_what_the_host_holds(tmp_path_factory, steps):
    top = tmp_path_factory.mktemp("mirror")
    (top / "project/src").mkdir(parents=True)
    (top / "root/etc").mkdir(parents=True)
    host = Host(top / "project")
    followed = Followed(host)
    root = os.open(top / "root", os.O_PATH)
    warnings = []

    def deliver(between=lambda: None):
        found = followed.changes(between)
        if found:
            wanted = Mirroring(followed.tree.top, "/srv/app", found.removed, found.changed, followed.patterns.covers)
            mirror_into(Inside(root, "web-1"), wanted, warnings.append)

    def attempt(step):
        try:
            getattr(host, step[0])(*step[1:])
        except OSError:
            return  # as things are, it cannot be done

    try:
        pending = list(reversed(steps))
        while pending:
            step = pending.pop()
            if step[0] == "deliver":
                deliver()
            elif step[0] == "late":  # changes between looking at a new directory and watching it
                deliver(lambda: attempt(pending.pop()) if pending and len(pending[-1]) > 1 else None)
            else:
                attempt(step)
        deliver()
        deliver()
        assert contents(top / "root/srv/app") == contents(top / "project/src")
        assert warnings == []
        assert os.listdir(top / "root/etc") == []
    finally:
        os.close(root)
        shutil.rmtree(top)
