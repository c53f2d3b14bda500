"""References to Compose files that are elsewhere. Pure.

oci://NAME[:TAG|@DIGEST]                     in a registry
https://HOST/PATH.git[#[REF][:PATH]]         in a Git repository; also http, ssh and git
git@HOST:PATH.git[#[REF][:PATH]]             the same by ssh
github.com/OWNER/NAME[#[REF][:PATH]]         the same by https
"""

from __future__ import annotations

import posixpath
from urllib.parse import urlsplit

from orchestra.errors import UserError
from orchestra.record import Record
from orchestra.regex import regex

OCI = "oci://"
SCHEMES = ("https", "http", "ssh", "git")
_FORMS = "write oci://NAME, https://HOST/PATH.git#REF:PATH, ssh://HOST/PATH.git or git@HOST:PATH.git"
_REF = regex(r"[A-Za-z0-9_][A-Za-z0-9._/+@-]*")
_COMMIT = regex(r"[0-9a-f]{40}|[0-9a-f]{64}")
_SCP = regex(r"git@([A-Za-z0-9][A-Za-z0-9.-]*):([^:]+)")
_HOST = regex(r"[A-Za-z0-9][A-Za-z0-9.-]*|[0-9a-fA-F:]+")
_SECRET = regex(r"^([a-z]+://)([^/#]*@)")
_DROPPED = regex(r"[^A-Za-z0-9._-]")


class OciSource(Record):
    """name: in the form of an image name."""

    name: str


class GitSource(Record):
    """scheme: the only protocol that git may use for url. ref: empty for the default branch; path: for the root."""

    url: str
    scheme: str
    ref: str = ""
    path: str = ""

    @property
    def is_pinned(self) -> bool:
        """Whether ``ref`` is a commit, whose meaning never changes."""
        return bool(_COMMIT.fullmatch(self.ref))

    @property
    def public_url(self) -> str:
        """The address without a password or token."""
        return without_password(self.url)

    @property
    def repository(self) -> str:
        """The last part of the path, which is the default name of the stack."""
        return folder_name(self.url.rstrip("/").rpartition("/")[2].rpartition(":")[2].removesuffix(".git"))

    def at(self, commit: str) -> str:
        """The reference to the same path at this commit."""
        return f"{self.public_url}#{commit}" + (f":{self.path}" if self.path else "")


Source = OciSource | GitSource


def parse_source(text: str) -> Source:
    """Raises UserError if ``text`` has none of the forms."""
    if not text.isprintable() or " " in text:
        raise UserError(f"{without_password(text)!r} is not a file in a registry or a Git repository", hint=_FORMS)
    if text.startswith(OCI):
        return OciSource(text.removeprefix(OCI))
    place, mark, fragment = text.partition("#")
    ref, _, path = fragment.partition(":")
    url, scheme = _address(text, place)
    if mark and not fragment:
        raise UserError(f"{without_password(text)}: nothing follows the #", hint=_FORMS)
    if ref and (
        not _REF.fullmatch(ref) or ".." in ref or "@{" in ref or "//" in ref or ref.endswith(("/", ".", ".lock"))
    ):
        hint = "a branch, a tag or a whole commit belongs between # and :"
        raise UserError(f"{without_password(text)}: {ref!r} is not the name of a branch, tag or commit", hint=hint)
    return GitSource(url, scheme, ref, _inner_path(text, path))


def without_password(text: str) -> str:
    """An address that may be shown: without user and password, except for the user of ssh."""
    return _SECRET.sub(lambda found: found[1] if found[1] != "ssh://" or ":" in found[2] else found[0], text)


def folder_name(text: str) -> str:
    """``text`` as the name of a folder, which gives the stack in it its default name."""
    return _DROPPED.sub("", text).lstrip(".") or "stack"


def _address(text: str, place: str) -> tuple[str, str]:
    if place.startswith("github.com/"):
        place = f"https://{place}"
    elif place.startswith("git@"):
        if not _SCP.fullmatch(place):
            raise UserError(f"{without_password(text)}: not the address of a Git repository", hint=_FORMS)
        return place, "ssh"
    try:
        parts = urlsplit(place)
        host, _ = parts.hostname or "", parts.port
    except ValueError as error:
        raise UserError(f"{without_password(text)}: {error}", hint=_FORMS) from None
    if parts.scheme not in SCHEMES:
        raise UserError(f"{without_password(text)}: files are not fetched by {parts.scheme}", hint=_FORMS)
    if not _HOST.fullmatch(host) or not parts.path.strip("/"):
        raise UserError(f"{without_password(text)}: not the address of a Git repository", hint=_FORMS)
    if parts.query:
        raise UserError(
            f"{without_password(text)}: an address with ? is not supported",
            hint="write the branch and the path after #",
        )
    is_github = host == "github.com" and parts.path.count("/") == 2
    if parts.scheme in ("https", "http") and not parts.path.endswith(".git") and not is_github:
        raise UserError(f"{without_password(text)}: the address of a Git repository ends with .git", hint=_FORMS)
    return place, parts.scheme


def _inner_path(text: str, path: str) -> str:
    if path.startswith("/") or ".." in path.split("/") or ".git" in path.lower().split("/"):
        raise UserError(
            f"{without_password(text)}: {path!r} is not a path within the repository",
            hint="begin it at the repository's root",
        )
    return "" if not path else posixpath.normpath(path).removeprefix(".")
