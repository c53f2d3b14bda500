"""Compressed streams, told by their first bytes: media types and file names are often wrong about it."""

from __future__ import annotations

import bz2
import gzip
import importlib
import lzma
import sys
import tarfile
import zlib
from typing import IO, TYPE_CHECKING, Any, cast

from orchestra.errors import FatalError

if TYPE_CHECKING:
    import io

GZIP = b"\x1f\x8b"
BZIP2 = b"BZh"
XZ = b"\xfd7zXZ\x00"
ZSTANDARD = b"\x28\xb5\x2f\xfd"
MAGIC = {GZIP: "gzip", BZIP2: "bzip2", XZ: "xz", ZSTANDARD: "zstd"}

# The standard library's since Python 3.14, and the same for those before.
ZSTANDARD_MODULES = ("compression.zstd", "backports.zstd")
# What each library, where it has been loaded, raises for data that it cannot make sense of.
OWN_ERRORS = (("compression.zstd", "ZstdError"), ("backports.zstd", "ZstdError"), ("isal.isal_zlib", "error"))


def compression_of(stream: io.BufferedReader) -> str:
    """gzip, bzip2, xz, zstd, or '' for none. Nothing is consumed."""
    start = stream.peek(6)[:6]
    return next((name for magic, name in MAGIC.items() if start.startswith(magic)), "")


def decompressed(stream: io.BufferedReader) -> IO[bytes]:
    """The content of a stream, compressed or not. Raises FatalError for zstd where no module for it is installed."""
    match compression_of(stream):
        case "gzip":
            return cast("IO[bytes]", _gzip()(fileobj=stream, mode="rb"))
        case "bzip2":
            return cast("IO[bytes]", bz2.BZ2File(stream))
        case "xz":
            return cast("IO[bytes]", lzma.LZMAFile(stream))
        case "zstd":
            return cast("IO[bytes]", _zstandard().ZstdFile(stream))
        case _:
            return stream


def damage() -> tuple[type[Exception], ...]:
    """The exceptions that mean an archive or a stream is damaged, besides OSError; for an ``except`` clause."""
    known = (EOFError, tarfile.TarError, zlib.error, lzma.LZMAError)
    loaded = [(sys.modules.get(module), name) for module, name in OWN_ERRORS]
    return (*known, *(getattr(module, name) for module, name in loaded if module))


def _gzip() -> Any:
    """ISA-L's, which takes a third of the time; zlib's on machines that it is not made for."""
    try:
        from isal.igzip import IGzipFile
    except ImportError:
        return gzip.GzipFile
    return IGzipFile


def _zstandard() -> Any:
    for name in ZSTANDARD_MODULES:
        try:
            return importlib.import_module(name)
        except ImportError:
            continue
    raise FatalError(
        "it is compressed with zstd, which needs Python 3.14 or the package backports.zstd",
        hint="install backports.zstd, or convert the image: skopeo copy --dest-compress-format gzip",
    )
