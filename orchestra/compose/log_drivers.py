"""``logging``: the log drivers, and the options of each."""

from __future__ import annotations

import posixpath
import re
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from orchestra.model.logging import LOG_FILES, LOG_SIZE, Logging, Receiver, Tls
from orchestra.nearest import suggest
from orchestra.regex import regex
from orchestra.units import parse_bytes

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from orchestra.compose.context import Context
    from orchestra.compose.nodes import Path
    from orchestra.compose.schema.service import Service

DEFAULT = "json-file"
TLS_FILES = {"syslog-tls-ca-cert": "ca", "syslog-tls-cert": "certificate", "syslog-tls-key": "key"}
SKIP_VERIFY = "syslog-tls-skip-verify"
_FILE = {"max-size", "max-file"}
_RECEIVER = {"cache-max-size", "cache-max-file", "tag", "labels", "env", "mode", "max-buffer-size"}
_OPTIONS = {
    "json-file": _FILE,
    "local": _FILE,
    "none": set[str](),
    "syslog": _RECEIVER | {"syslog-address", "syslog-facility", "syslog-format", *TLS_FILES, SKIP_VERIFY},
    "journald": _RECEIVER,
}
"""Each driver with the options that have an effect."""
_NO_SERVICE = ("awslogs", "etwlogs", "fluentd", "gcplogs", "gelf", "splunk")
"""Docker's drivers for services that Orchestra does not support."""
_BUFFER = 1 << 20
"""Docker's ``max-buffer-size``."""

FACILITIES = (
    *("kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "authpriv", "ftp"),
    *("ntp", "security", "console", "solaris-cron"),
    *(f"local{number}" for number in range(8)),
)
"""The facilities of syslog, indexed by number (RFC 5424, section 6.2.1)."""
FORMATS = ("rfc3164", "rfc5424", "rfc5424micro")
TLS = "tcp+tls"
SCHEMES = ("tcp", TLS, "udp", "unix", "unixgram")
TAG_FIELDS = ("ID", "FullID", "Name", "ImageID", "ImageFullID", "ImageName", "DaemonName", "Command")
_PLACEHOLDER = regex(r"\{\{\s*(?:\.(\w+)\s*)?(.*?)\}\}")


def check_logging(service: Service, refuse: Callable[[str, str, str], None]) -> None:
    """refuse: takes the attribute, what is wrong with it, and a hint."""
    driver = (service.logging.driver if service.logging else None) or DEFAULT
    options = (service.logging.options if service.logging else None) or {}
    if driver not in (*_OPTIONS, *_NO_SERVICE):
        hint = suggest(driver, _OPTIONS, "log drivers")
        if hint.startswith("did you mean"):  # else it may be a plugin of Docker, such as loki
            refuse("logging.driver", f"unknown log driver {driver}", hint)
    for name, value in options.items():
        problem, hint = _problem(name, value)
        if problem:
            refuse(f"logging.options/{name}", problem, hint)


def _problem(name: str, value: str) -> tuple[str, str]:
    """What is wrong with an option, and a hint; both empty if it is valid."""
    match name:
        case "max-size" | "cache-max-size" | "max-buffer-size":
            try:
                parse_bytes(value)
            except ValueError as error:
                return f"{name}: {error}", ""
        case "max-file" | "cache-max-file" if not re.fullmatch(r"\s*[+-]?\d+\s*", value):
            return f"{name}: {value!r} is not a whole number", ""
        case "tag":
            if any(field not in TAG_FIELDS or rest for field, rest in _PLACEHOLDER.findall(value)):
                known = ", ".join(f"{{{{.{field}}}}}" for field in TAG_FIELDS)
                return f"tag: {value!r} has a placeholder that is not known", f"placeholders are {known}"
        case "mode" if value not in ("blocking", "non-blocking"):
            return f"mode: {value!r} is neither blocking nor non-blocking", ""
        case "syslog-format" if value not in FORMATS:
            return f"{name}: {value!r} is not a format of syslog", suggest(value, FORMATS, "formats")
        case "syslog-facility" if value not in FACILITIES and not _is_facility_number(value):
            return f"{name}: {value!r} is not a facility of syslog", suggest(value, FACILITIES, "facilities")
        case "syslog-address":
            return _address_problem(value)
    return "", ""


def _is_facility_number(text: str) -> bool:
    return text.isdecimal() and text.isascii() and int(text[:4]) < len(FACILITIES)


def _address_problem(value: str) -> tuple[str, str]:
    hint = "write udp://HOST:PORT, tcp://HOST:PORT, tcp+tls://HOST:PORT or unix:///PATH"
    try:
        parts = urlsplit(value)
        _ = parts.port
    except ValueError as error:
        return f"syslog-address: {value!r}: {error}", hint
    if parts.scheme not in SCHEMES:
        return f"syslog-address: {value!r} is not an address", hint
    if parts.scheme.startswith("unix"):
        if parts.netloc or not parts.path:
            return f"syslog-address: {value!r} names no absolute path", hint
    elif not parts.hostname:
        return f"syslog-address: {value!r} names no host", hint
    return "", ""


def logging(key: str, service: Service, context: Context) -> Logging:
    """Options without an effect are reported. A max-size of 0 or less means that the file is never rotated."""
    if service.logging is None:
        return Logging()
    options = dict(service.logging.options or {})
    path: Path = ("services", key, "logging")
    driver = service.logging.driver or DEFAULT
    if driver not in _OPTIONS:
        message = f"the log driver {driver} is not supported; {DEFAULT} is used instead"
        place: Path = (*path, "driver")
        context.problems.not_apply(message, context.span(place), place, "use syslog to send log lines elsewhere")
        driver, options = DEFAULT, {}
    for name in sorted(options):
        place = (*path, "options", name)
        if name not in _OPTIONS[driver]:
            message = f"the log option {name} has no effect with {driver}"
            context.problems.not_apply(message, context.span(place, key=True), place)
        elif name == "mode" and options[name] == "blocking":
            message = "mode: a slow log receiver never holds a container: lines are lost instead, and counted"
            context.problems.not_apply(message, context.span(place, key=True), place)
    prefix = "" if driver in ("json-file", "local") else "cache-"
    max_size, max_file = options.get(f"{prefix}max-size"), options.get(f"{prefix}max-file")
    # Docker's json-file keeps one file unless it is told otherwise.
    files = 1 if driver == DEFAULT and max_size is not None else LOG_FILES
    return Logging(
        driver,
        LOG_SIZE if max_size is None else max(0, int(parse_bytes(max_size))),
        files if max_file is None else max(1, int(max_file)),
        _receiver(options, context.project.directory) if driver in ("syslog", "journald") else None,
    )


def _receiver(options: Mapping[str, str], directory: str) -> Receiver:
    """directory: of the stack; files of certificates may be relative to it."""
    facility = options.get("syslog-facility") or "daemon"
    return Receiver(
        address=options.get("syslog-address", ""),
        format=options.get("syslog-format", ""),
        facility=int(facility) if facility.isdecimal() else FACILITIES.index(facility),
        tag=options.get("tag") or "{{.ID}}",
        labels=_names(options.get("labels", "")),
        environment=_names(options.get("env", "")),
        buffer=int(parse_bytes(options["max-buffer-size"])) if options.get("max-buffer-size") else _BUFFER,
        tls=_tls(options, directory) if options.get("syslog-address", "").startswith(f"{TLS}:") else None,
    )


def _tls(options: Mapping[str, str], directory: str) -> Tls:
    """As in Docker, any value of ``syslog-tls-skip-verify`` turns verifying off, even ``false``."""
    given = {part: options[name] for name, part in TLS_FILES.items() if options.get(name)}
    files = {part: posixpath.normpath(posixpath.join(directory, path)) for part, path in given.items()}
    return Tls(**files, verify=SKIP_VERIFY not in options)


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())
