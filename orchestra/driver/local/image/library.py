"""The images of one home as users see them: list, name, remove, push. Built on store and content."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from orchestra.driver.local.image.content.by_id import find_by_id, image_id, is_id, may_be_id
from orchestra.driver.local.image.content.parts import Parts, load_parts
from orchestra.driver.local.image.documents.manifest import Descriptor
from orchestra.driver.local.image.naming.name import ImageName, parse_name
from orchestra.driver.local.image.naming.reference import Registry, Tree, parse_reference
from orchestra.driver.local.image.store import ImageStore
from orchestra.driver.local.image.tree import PREFIX
from orchestra.errors import FatalError, UserError
from orchestra.named_tuple import NamedTuple
from orchestra.record import Record, replace

if TYPE_CHECKING:
    from collections.abc import Callable

    from orchestra.driver.local.image.content.collect import Collected
    from orchestra.driver.local.image.content.indexes import Member
    from orchestra.driver.local.image.content.store import Stored
    from orchestra.driver.local.image.registry import Access
    from orchestra.driver.local.image.registry.push import Pushed
    from orchestra.home import Home
    from orchestra.model.desired import ImageSpec


class Item(Record):
    """One reference, or none for an image without a name. parts: None if its documents are damaged or gone."""

    entry: Stored
    parts: Parts | None

    @property
    def id(self) -> str:
        """The id of the configuration, as in Docker."""
        return image_id(self.entry, self.parts)

    @property
    def size(self) -> int:
        """The size of the layers as they were fetched."""
        return sum(layer.size for layer in self.parts.layers) if self.parts else 0

    @property
    def created(self) -> str:
        return str((self.parts.document if self.parts else {}).get("created") or "")

    @property
    def name(self) -> ImageName | None:
        """None for images from archives and directories, and for those without a name."""
        return name_of(self.entry.reference) if self.entry.reference else None


class Removed(NamedTuple):
    """names: removed ones. id: of the image, if it was removed with them. size: bytes freed."""

    names: list[str]
    id: str
    size: int


class Pruned(NamedTuple):
    """names: removed ones; collected: removed content; ids: of the removed images."""

    names: list[str]
    collected: Collected
    ids: list[str]


class Library:
    """wait: called before a removal has to wait for other processes that fetch or make something."""

    def __init__(self, home: Home, access: Access | None = None, wait: Callable[[], None] = lambda: None) -> None:
        self._home = home
        self._wait = wait
        self._access = access
        self.store = ImageStore(home, access)
        self.content = self.store.content

    def pin(self, spec: ImageSpec, digest: str) -> str:
        """A reference to this manifest of an image from a registry, whatever its name means by now.

        Other references stay as they are. Raises FatalError for one that is none.
        """
        reference = parse_reference(spec.reference)
        if not isinstance(reference, Registry):
            return spec.reference
        if find_by_id(self.content, digest):
            return digest
        return str(parse_name(reference.name).at(digest))

    def items(self) -> list[Item]:
        """All items, by reference."""
        found = []
        for _, entry in sorted(self.content.entries().items()):
            try:
                parts = load_parts(self.content, entry.digest)
            except FatalError:
                parts = None
            found.append(Item(entry, parts))
        return found

    def nameless(self) -> list[Item]:
        """Images without a name."""
        from orchestra.driver.local.image.content.nameless import find_nameless

        return [Item(entry, parts) for entry, parts in find_nameless(self.content)]

    def find(self, text: str) -> Item:
        """By name, by reference, or by the beginning of an id. Raises UserError."""
        items = self.items()
        try:
            key = reference_key(text)
        except FatalError as error:
            raise UserError(error.message, hint=error.hint) from error
        exact = [item for item in items if item.entry.reference == key]
        if exact:
            return exact[0]
        if may_be_id(text):
            try:
                matching = find_by_id(self.content, text)
            except FatalError as error:
                raise UserError(error.message, hint=error.hint) from error
            if matching:
                return Item(*matching[0])
        raise UserError(f"no such image: {text}", hint="list the images with `orchestra image ls -a`")

    def tag(self, source: str, target: str) -> None:
        """Give the same image another name."""
        from orchestra.driver.local.image.content.indexes import members_if_whole

        name = parse_name(target)
        if name.digest:
            raise UserError(f"{target} has a digest, which a tag cannot have", hint="name a tag")
        with self.content.held():
            item = self.find(source)
            # Of an index that is not all here, the other name means no more than this machine's image.
            source = item.entry.source if members_if_whole(self.content, item.entry) else item.entry.digest
            self.content.put_entry(replace(item.entry, reference=str(name), stamp="", source=source))

    def remove(self, text: str, *, force: bool = False) -> Removed:
        """Remove one name, or all names of an id, and with the last name the image. Raises UserError for an image that
        containers need.
        """
        from orchestra.driver.local.image.content.collect import remove_content

        with self.content.collecting(self._wait):
            item = self.find(text)
            same = [other for other in self.items() if other.id == item.id]
            by_name = item.entry.reference == reference_key(text)
            doomed = [item] if by_name else same
            if len(doomed) > 1 and not force:
                names = ", ".join(other.entry.reference for other in doomed)
                raise UserError(f"{text} has several names: {names}", hint="give one of them, or use --force for all")
            is_named = bool(item.entry.reference)
            if len(doomed) == len(same) and not (force and is_named):
                self._check_unused(item, text, is_named=is_named)
            for other in doomed:
                self.content.remove_entry(other.entry.reference)
            gone = [remove_content(self._home, digest) for digest in {i.entry.digest for i in (item, *doomed)}]
        size = sum(collected.size for collected in gone if collected)
        return Removed([other.entry.reference for other in doomed], item.id if any(gone) else "", size)

    def _check_unused(self, item: Item, text: str, *, is_named: bool) -> None:
        from orchestra.driver.local.image.content.collect import containers

        users = [user.name for user in containers(self._home) if user.digest == item.entry.digest]
        if users:
            hint = "remove them first"
            if is_named:
                hint += "; with --force only the name is removed now, and the image once they are gone"
            raise UserError(f"image {text} is used by {', '.join(users)}", hint=hint)

    def prune(self, *, everything: bool = False, build_cache: bool = False, keep: int = 0) -> Pruned:
        """Remove what nothing refers to; everything: also names that no container uses. build_cache: also what builds
        remember, but for as many bytes of what was used last as ``keep`` says.
        """
        from orchestra.driver.local.image.content.collect import collect, containers

        names: list[str] = []
        before = {item.entry.digest: item.id for item in self.nameless()}
        if everything:
            with self.content.collecting(self._wait):
                used = {user.digest for user in containers(self._home)}
                for item in self.items():
                    if item.entry.digest not in used:
                        self.content.remove_entry(item.entry.reference)
                        names.append(item.entry.reference)
                        before[item.entry.digest] = item.id
        freed = 0
        if build_cache and keep:
            from orchestra.driver.local.build.limit import shrink_builds

            freed = shrink_builds(self._home, keep, self._wait)
        elif build_cache:
            from orchestra.driver.local.build.upkeep import forget_builds

            with self.content.collecting(self._wait):
                freed = forget_builds(self._home)
        collected = collect(self._home, self._wait)
        collected = collected._replace(size=collected.size + freed)
        gone = {image_id for digest, image_id in before.items() if self.content.size(digest) < 0}
        return Pruned(names, collected, sorted(gone))

    def push(self, text: str, say: Callable[[str], None] = lambda _: None) -> Pushed:
        """To the registry in the name. Raises UserError or DriverError."""
        from orchestra.driver.local.image.registry import Access
        from orchestra.driver.local.image.registry.push import Pushed, push_image

        name = name_of(reference_key(text))
        if name is None:
            raise UserError(f"{text} does not name a registry", hint="give it another name with `orchestra image tag`")
        with self.content.held():
            item = self.find(text)
            if item.parts is None:
                raise FatalError(f"image {text} is damaged", hint="run `orchestra image fsck` for details")
            say(f"The push refers to repository {name.repository}")
            top, members = self._to_push(item)
            for digest in (one.manifest.digest for one in members if not one.is_attestation):
                parts = load_parts(self.content, digest)
                assert parts is not None, digest
                refuse_bound(parts, text)
            others = (other.name for other in self.items() if self._shares(other, item.parts))
            sources = {other.path for other in others if other and other.host == name.host and other.path != name.path}
            access, nearby = self._access or Access(), sorted(sources)[:3]
            done = []
            for image, blobs in members:
                # Those of an index have no names of their own.
                named = name if image == top else replace(name, tag="")
                done.append(push_image(self.content, image, blobs, named, access, nearby))
            if top not in (image for image, _ in members):
                done.append(push_image(self.content, top, (), name, access))
            return Pushed(top.digest, *(sum(counts) for counts in zip(*(one[1:] for one in done), strict=True)))

    def digest_to_push(self, text: str) -> str:
        """What ``push`` makes the name mean. Raises UserError or FatalError."""
        item = self.find(text)
        if item.parts is None:
            raise FatalError(f"image {text} is damaged", hint="run `orchestra image fsck` for details")
        return self._to_push(item)[0].digest

    def _to_push(self, item: Item) -> tuple[Descriptor, list[Member]]:
        """What the name is to mean, and what that consists of: of an index everything, if it is here, else only this
        machine's image.
        """
        from orchestra.driver.local.image.content.indexes import Member, describe_index, members_if_whole

        assert item.parts is not None
        members = members_if_whole(self.content, item.entry)
        if members:
            return describe_index(self.content, item.entry.source), members
        own = Descriptor(item.entry.media_type, item.entry.digest, item.entry.size)
        return own, [Member(own, (item.parts.config_blob, *item.parts.layers))]

    @staticmethod
    def _shares(other: Item, parts: Parts) -> bool:
        return other.parts is not None and bool(set(other.parts.blobs) & set(parts.blobs))

    def details(self, item: Item) -> dict[str, Any]:
        """In the format of ``docker image inspect``."""
        document = item.parts.document if item.parts else {}
        names = [other for other in self.items() if other.id == item.id]
        return {
            "Id": item.id,
            "RepoTags": [i.entry.reference for i in names if i.name is None or not i.name.digest],
            "RepoDigests": sorted({f"{i.name.repository}@{i.entry.source}" for i in names if i.name}),
            "Created": item.created,
            "Author": document.get("author") or "",
            "Config": document.get("config") or {},
            "Architecture": document.get("architecture") or "",
            "Variant": document.get("variant") or "",
            "Os": document.get("os") or "",
            "Size": item.size,
            "RootFS": {"Type": "layers", "Layers": list(item.parts.diff_ids) if item.parts else []},
            "Descriptor": {"mediaType": item.entry.media_type, "digest": item.entry.digest, "size": item.entry.size},
        }

    def attestations(self, item: Item) -> list[dict[str, Any]]:
        """The in-toto statements about it. Those of an image from a registry are fetched, if they are not here.

        Raises DriverError.
        """
        from orchestra.driver.local.image.attested import read_statements

        return read_statements(self.content, item.entry, item.name, self._access)

    def history(self, item: Item) -> list[dict[str, Any]]:
        """The newest step first, each with the size of its layer."""
        if item.parts is None:
            return []
        sizes = [layer.size for layer in item.parts.layers]
        rows = []
        for step in item.parts.document.get("history") or [{} for _ in sizes]:
            empty = bool(step.get("empty_layer"))
            size = 0 if empty or not sizes else sizes.pop(0)
            texts = {key: str(step.get(key) or "") for key in ("created", "created_by", "comment")}
            rows.append({**texts, "size": size, "empty": empty})
        return rows[::-1]


def refuse_bound(parts: Parts, text: str) -> None:
    """Raise UserError for an image that lies on a directory of this machine."""
    if parts.base:
        directory = PREFIX + parts.base.removeprefix(PREFIX).partition(":")[2]
        hint = "build it on an image instead, such as one made with `orchestra image import`"
        raise UserError(f"{text} was built on {directory}, so it cannot leave this machine", hint=hint)


def reference_key(text: str) -> str:
    """The key under which a reference is remembered. Paths become absolute. Raises FatalError if it is invalid."""
    transport, colon, rest = text.partition(":")
    if colon and transport in ("oci", "oci-archive", "docker-archive") and not rest.startswith("/"):
        text = f"{transport}:{os.path.abspath(rest.partition(':')[0])}" + "".join(rest.partition(":")[1:])
    if is_id(text):
        return text
    reference = parse_reference(text)
    if isinstance(reference, Tree):
        raise UserError(f"{text} is a directory, which is used in place", hint="it is not stored")
    return str(parse_name(reference.name)) if isinstance(reference, Registry) else text


def name_of(reference: str) -> ImageName | None:
    """None for images from archives and directories."""
    parsed = parse_reference(reference)
    return parse_name(parsed.name) if isinstance(parsed, Registry) else None
