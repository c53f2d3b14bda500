"""Compressed streams, recognised by their first bytes: media types and file names are often wrong."""

from __future__ import annotations

import bz2
import gzip
import importlib
import io
import lzma
import sys
import tarfile
import zlib
from typing import IO, Any, cast

from orchestra.errors import FatalError

CHUNK = 1 << 18
# Bytes of memory: twice what `xz -9` needs. gzip and bzip2 always need little; zstd has a limit of its own.
XZ_MEMORY = 128 << 20

GZIP = b"\x1f\x8b"
BZIP2 = b"BZh"
XZ = b"\xfd7zXZ\x00"
ZSTANDARD = b"\x28\xb5\x2f\xfd"
MAGIC = {GZIP: "gzip", BZIP2: "bzip2", XZ: "xz", ZSTANDARD: "zstd"}

# Part of the standard library since Python 3.14, with a backport for earlier versions.
ZSTANDARD_MODULES = ("compression.zstd", "backports.zstd")
# The exceptions of each library, if it has been loaded, for data that it cannot decode.
OWN_ERRORS = (("compression.zstd", "ZstdError"), ("backports.zstd", "ZstdError"), ("isal.isal_zlib", "error"))


def compression_of(stream: io.BufferedReader) -> str:
    """gzip, bzip2, xz, zstd, or '' for none. Nothing is consumed."""
    start = stream.peek(6)[:6]
    return next((name for magic, name in MAGIC.items() if start.startswith(magic)), "")


def decompressed(stream: io.BufferedReader) -> IO[bytes]:
    """The content of a stream, compressed or not. Raises FatalError for zstd if no module for it is installed."""
    match compression_of(stream):
        case "gzip":
            return cast("IO[bytes]", _gzip()(fileobj=stream, mode="rb"))
        case "bzip2":
            return cast("IO[bytes]", bz2.BZ2File(stream))
        case "xz":
            return io.BufferedReader(_Xz(stream), CHUNK)
        case "zstd":
            return cast("IO[bytes]", _zstandard().ZstdFile(stream))
        case _:
            return stream


class _Xz(io.RawIOBase):
    """lzma.LZMAFile, but with a limit for the memory that a file may ask for."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self._begin()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: object) -> int:
        view = memoryview(buffer).cast("B")  # type: ignore[arg-type]  # RawIOBase gives any buffer
        data = b""
        while not data:
            given = b""
            if self._decompressor.eof:
                # Zeros may lie between the streams of a file.
                given = self._decompressor.unused_data.lstrip(b"\0")
                while not given:
                    if not (more := self._stream.read(CHUNK)):
                        return 0
                    given = more.lstrip(b"\0")
                self._begin()
            elif self._decompressor.needs_input and not (given := self._stream.read(CHUNK)):
                raise EOFError("it ends within its last stream")
            data = self._decompressor.decompress(given, max_length=len(view))
        view[: len(data)] = data
        return len(data)

    def _begin(self) -> None:
        self._decompressor = lzma.LZMADecompressor(memlimit=XZ_MEMORY)


def damage() -> tuple[type[Exception], ...]:
    """The exceptions that mean an archive or a stream is damaged, besides OSError; for an ``except`` clause."""
    known = (EOFError, tarfile.TarError, zlib.error, lzma.LZMAError)
    loaded = [(sys.modules.get(module), name) for module, name in OWN_ERRORS]
    return (*known, *(getattr(module, name) for module, name in loaded if module))


def _gzip() -> Any:
    """ISA-L's, which takes a third of the time; zlib's on machines without ISA-L."""
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
