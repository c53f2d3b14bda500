"""Errors and warnings, for the caller: on standard error, and in the file of ``--log`` as text or JSON."""

from __future__ import annotations

import os
import sys
import time

from orchestra.command_line.read import Misused

LEVELS = ("debug", "warning", "error")


class Report:
    """One line per message, in the format of logrus, which callers of OCI runtimes can read."""

    def __init__(self, path: str | None, form: str | None, *, debug: bool) -> None:
        if form not in (None, "text", "json"):
            raise Misused(f"--log-format: expected text or json, not {form!r}")
        self._json = form == "json"
        self._debug = debug
        self._path = "" if path is None else os.path.abspath(path)

    def debug(self, text: str) -> None:
        if self._debug:
            self._write("debug", text)

    def warning(self, text: str) -> None:
        self._write("warning", text)

    def error(self, text: str) -> None:
        self._write("error", text)
        if self._path:
            _write_all(2, f"orchestra-runtime: {text}\n")

    def _write(self, level: str, text: str) -> None:
        stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        if self._json:
            import json

            line = json.dumps({"level": level, "msg": text, "time": stamp}, separators=(",", ":"))
        elif self._path:
            quoted = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
            line = f'time="{stamp}" level={level} msg="{quoted}"'
        else:
            line = f"orchestra-runtime: {text}" if level == "error" else f"orchestra-runtime: {level}: {text}"
        if not self._path:
            _write_all(2, f"{line}\n")
            return
        try:
            fd = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
        except OSError as error:
            print(f"orchestra-runtime: {self._path}: {error.strerror}: {text}", file=sys.stderr)
            return
        _write_all(fd, f"{line}\n")
        os.close(fd)


def _write_all(fd: int, text: str) -> None:
    """If the reader has gone, the rest is dropped."""
    data = text.encode(errors="surrogateescape")
    try:
        while data:
            data = data[os.write(fd, data) :]
    except OSError:
        return
