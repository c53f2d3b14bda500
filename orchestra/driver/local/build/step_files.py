"""The files that the steps of a build take from elsewhere: of contexts, downloads, images and other steps."""

from __future__ import annotations

import contextlib
import os
import threading
from typing import TYPE_CHECKING

from orchestra.build.attestation.statement import Material
from orchestra.build.ignore import Ignore
from orchestra.build.step import (
    BaseImage,
    BindMount,
    ContextFiles,
    Copy,
    Download,
    GitTree,
    InlineFiles,
    Run,
    Scratch,
    is_made,
)
from orchestra.driver.local.build.content import Contents, TreeContents
from orchestra.driver.local.build.selection import Place, find_matches
from orchestra.driver.local.build.trees import FileTree, opened_root
from orchestra.driver.local.image.failure import file_errors
from orchestra.driver.local.image.layers.lookup import read_file
from orchestra.driver.local.user import User, resolve_user
from orchestra.errors import UserError
from orchestra.record import Record

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from orchestra.build.step import Graph, MakeDirectory, Step
    from orchestra.driver.local.build.content import Digest
    from orchestra.driver.local.build.download import Fetched
    from orchestra.driver.local.build.given import Given
    from orchestra.driver.local.build.records import Made
    from orchestra.driver.local.build.trees import Change, Trees
    from orchestra.home import Home


class Files(Record):
    """The files that a step takes from elsewhere. moment: when those of contexts were read, as in ``Digest``."""

    digest: str = ""
    moment: str = ""


class StepFiles:
    """The files of one build. made: what is known of steps that make trees; the owner of this goes on filling it."""

    def __init__(self, home: Home, trees: Trees, graph: Graph, given: Given, made: Mapping[int, Made]) -> None:
        self._home, self._trees, self._graph, self._given, self._made = home, trees, graph, given, made
        self._contents = {name: Contents(home, one.path) for name, one in given.directories.items()}
        self._reading = threading.Lock()
        self._fetched: dict[int, Fetched] = {}

    def store(self) -> None:
        """Remember the digests of contexts for later builds."""
        for each in self._contents.values():
            each.store()

    def find(self, number: int) -> Files:
        """What a step depends on besides its own words and the steps before it. Raises OrchestraError and OSError."""
        with self._reading:
            return self._find(number, self._graph.steps[number])

    def _find(self, number: int, step: Step) -> Files:
        match step:
            case Download():
                from orchestra.driver.local.build.download import fetch_file

                self._fetched[number] = fetch_file(self._home, step)
                return Files(self._fetched[number].digest)
            case GitTree():
                from orchestra.driver.local.build.download import fetch_commit

                self._fetched[number] = fetch_commit(self._home, step)
                return Files(self._fetched[number].digest)
            case BaseImage():
                tree = self._given.trees[step]
                return Files(" ".join((tree.base, *tree.diff_ids)))
            case Copy():
                source = self._graph.steps[step.source]
                if isinstance(source, ContextFiles):
                    return Files(*self._read(source, step.paths, Ignore(step.exclude), parents=step.parents))
                return Files()
            case Run():
                found = []
                for mount in step.mounts:
                    shown = self._graph.steps[mount.source] if isinstance(mount, BindMount) else None
                    if isinstance(shown, ContextFiles):
                        assert isinstance(mount, BindMount)
                        found.append(self._read(shown, (mount.path,), Ignore()))
                options = self._given.run
                files = [digest.files for digest in found]
                moment = " ".join(digest.moment for digest in found)
                return Files(repr((files, options.extra_hosts, options.privileged, str(options.network))), moment)
            case _:
                return Files()

    def _read(self, source: ContextFiles, paths: tuple[str, ...], exclude: Ignore, *, parents: bool = False) -> Digest:
        with self._place_of(source) as place:
            return self._contents[source.name].digest(place, find_matches(place, paths, parents=parents), exclude)

    @contextlib.contextmanager
    def _place_of(self, source: ContextFiles) -> Iterator[Place]:
        directory = self._given.directories[source.name]
        try:
            root = os.open(directory.path, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError as error:
            raise UserError(f"{directory.path}: {error.strerror}", hint="give a directory that exists") from error
        try:
            yield Place(root, directory.name, directory.ignore)
        finally:
            os.close(root)

    def copied_content(self, step: Copy | MakeDirectory | Run) -> str:
        """The digest of what is copied from another stage or an image; empty for other steps."""
        source = self._graph.steps[step.source] if isinstance(step, Copy) else None
        if source is None or not (is_made(source) or isinstance(source, BaseImage)):
            return ""
        assert isinstance(step, Copy)
        with file_errors("a step"), self.opened(step.source) as place:
            matches = find_matches(place, step.paths, parents=step.parents)
            return TreeContents().digest(place, matches, Ignore(step.exclude)).files

    def materials(self) -> Iterator[Material]:
        """What was fetched for ADD."""
        for number, fetched in self._fetched.items():
            match self._graph.steps[number]:
                case Download(url=url):
                    yield Material(url, fetched.digest)
                case GitTree(url=url, reference=reference):
                    yield Material("#".join(filter(None, (url, reference))), f"sha1:{fetched.digest.split()[0]}")

    @contextlib.contextmanager
    def opened(self, number: int) -> Iterator[Place]:
        """The files of a step, to be read."""
        source = self._graph.steps[number]
        match source:
            case ContextFiles():
                with self._place_of(source) as place:
                    yield place
            case InlineFiles():
                with self._inline(source) as path, _opened_directory(path) as root:
                    yield Place(root, "the Dockerfile")
            case Download() | GitTree():
                with _opened_directory(self._fetched[number].path) as root:
                    yield Place(root, source.url)
            case _:
                with self._trees.opened(self._made[number].tree) as root:
                    yield Place(root, "the source")

    @contextlib.contextmanager
    def _inline(self, source: InlineFiles) -> Iterator[str]:
        with self._trees.changing(FileTree()) as change:
            for name, content in source.files:
                with open(os.path.join(change.upper, os.path.basename(name)), "wb") as file:
                    file.write(content)
                    os.fchmod(file.fileno(), source.mode)
            yield change.upper

    def owner(self, text: str | None, tree: FileTree) -> tuple[int, int] | None:
        """``user[:group]`` of ``--chown``: of a number alone the group has the same one."""
        if text is None:
            return None
        user, _, group = text.partition(":")
        if user.isdecimal() and not group:
            return int(user), int(user)
        if user.isdecimal() and group.isdecimal():
            return int(user), int(group)
        found = self.user(text, tree)
        return found.uid, found.gid

    def user(self, text: str, tree: FileTree) -> User:
        layers = self._trees.layers(tree)
        passwd, group = (
            (read_file(layers, path) or b"").decode(errors="surrogateescape") for path in ("/etc/passwd", "/etc/group")
        )
        return resolve_user(text, passwd, group)

    @contextlib.contextmanager
    def snapshot(self, number: int) -> Iterator[Change]:
        """A writable snapshot of the files of a step, which is thrown away."""
        from orchestra.driver.local.build.copy import Owners, copy_files

        source = self._graph.steps[number]
        if is_made(source) or isinstance(source, Scratch | BaseImage):
            with self._trees.changing(self._made[number].tree) as change:
                yield change
            return
        with self._trees.changing(FileTree()) as change:
            with self.opened(number) as place, opened_root(change) as root:
                everything = Copy(base=number, source=number, paths=(".",), destination="/")
                copy_files(everything, place, root, Owners((0, 0)), from_context=True)
            yield change

    def fill(self, number: int, path: str, directory: str) -> None:
        from orchestra.driver.local.build.copy import Owners, copy_files

        target = os.open(directory, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            with self.opened(number) as place:
                step = Copy(base=number, source=number, paths=(path.strip("/") or ".",), destination="/")
                copy_files(step, place, target, Owners(), from_context=False)
        finally:
            os.close(target)


@contextlib.contextmanager
def _opened_directory(path: str) -> Iterator[int]:
    fd = os.open(path, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield fd
    finally:
        os.close(fd)
