"""Names of images at registries, as Docker normalises them. Pure.

    [HOST[:PORT]/]PATH[:TAG][@sha256:HEX]

The defaults are Docker's own registry, its ``library``, and the tag ``latest``. The format defines those words, so they
appear only here.
"""

from __future__ import annotations

from orchestra.errors import FatalError
from orchestra.record import Record, replace
from orchestra.regex import regex

DEFAULT_HOST = "docker.io"
DEFAULT_NAMESPACE = "library"
DEFAULT_TAG = "latest"
# Other names for the default host.
ALIASES = frozenset(("index.docker.io", "registry-1.docker.io"))
# The host that answers for it, and the key of its credentials in Docker's configuration.
DEFAULT_ENDPOINT = "registry-1.docker.io"
DEFAULT_CREDENTIALS = "https://index.docker.io/v1/"

_HOST = regex(
    r"(?:(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])"
    r"(?:\.(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9]))*|\[[a-fA-F0-9:]+\])(?::[0-9]{1,5})?"
)
_PATH = regex(r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*")
_TAG = regex(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
_DIGEST = regex(r"sha256:[0-9a-f]{64}")
_LONGEST = 255


class ImageName(Record):
    """tag: may be empty only if there is a digest, which then counts alone."""

    host: str
    path: str
    tag: str = ""
    digest: str = ""

    def __str__(self) -> str:
        """The full name, with nothing left out."""
        tag = f":{self.tag}" if self.tag else ""
        return f"{self.repository}{tag}" + (f"@{self.digest}" if self.digest else "")

    @property
    def repository(self) -> str:
        return f"{self.host}/{self.path}"

    @property
    def wanted(self) -> str:
        """What to ask a registry for: the digest, otherwise the tag."""
        return self.digest or self.tag

    @property
    def familiar(self) -> str:
        """The repository as users write it."""
        if self.host != DEFAULT_HOST:
            return self.repository
        return self.path.removeprefix(f"{DEFAULT_NAMESPACE}/")

    def at(self, digest: str) -> ImageName:
        return replace(self, tag="", digest=digest)


def parse_name(text: str) -> ImageName:
    """Raises FatalError if this cannot be a name at a registry."""
    rest, at, digest = text.partition("@")
    if at and not _DIGEST.fullmatch(digest):
        raise _refused(
            text, f"{digest[:80]!r} is not a digest", "a digest consists of sha256: and 64 hexadecimal digits"
        )
    first, slash, below = rest.partition("/")
    if slash and (any(mark in first for mark in ".:[") or first == "localhost" or first != first.lower()):
        host, path = first, below
    else:
        host, path = DEFAULT_HOST, rest
    path, colon, tag = path.partition(":")
    if host in ALIASES:
        host = DEFAULT_HOST
    if host == DEFAULT_HOST and "/" not in path:
        path = f"{DEFAULT_NAMESPACE}/{path}"
    if not _HOST.fullmatch(host):
        raise _refused(text, f"{host[:80]!r} is not a host name", "write it as in registry.example:5000/app:1.0")
    if colon and not _TAG.fullmatch(tag):
        raise _refused(text, f"{tag[:80]!r} is not a tag", "a tag may contain letters, digits, '_', '.' and '-'")
    if path != path.lower():
        raise _refused(text, "it contains capital letters", "write it in lower case")
    if not _PATH.fullmatch(path) or len(host) + 1 + len(path) > _LONGEST:
        raise _refused(
            text, f"{path[:80]!r} is not a path", "a path may contain lower-case letters, digits, '.', '_' and '-'"
        )
    return ImageName(host, path, tag or ("" if digest else DEFAULT_TAG), digest)


def endpoint_of(host: str) -> str:
    """Host and port of a registry's API."""
    return DEFAULT_ENDPOINT if host == DEFAULT_HOST else host


def _refused(text: str, why: str, hint: str) -> FatalError:
    return FatalError(f"image {text}: {why}", hint=hint)
