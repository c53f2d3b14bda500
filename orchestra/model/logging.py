"""What becomes of the lines that a container writes: its log file, and receivers elsewhere. Standard library only."""

from __future__ import annotations

from orchestra.record import Record


class Tls(Record):
    """How a log receiver is reached with TLS. Paths on the host, empty for none.

    ca: certificates to trust besides the machine's. certificate, key: what this side shows. verify: whether the
    receiver must show a certificate that is trusted and has its name.
    """

    ca: str = ""
    certificate: str = ""
    key: str = ""
    verify: bool = True


class Receiver(Record):
    """Where log lines go besides the log file: to syslog or the journal, as the driver says.

    address: of syslog, as the file says it; empty for the machine's own. facility: its number. tag: with placeholders.
    labels, environment: names of those that are sent with each line. buffer: bytes that may wait. tls: None without.
    """

    address: str = ""
    format: str = ""
    facility: int = 3
    tag: str = "{{.ID}}"
    labels: tuple[str, ...] = ()
    environment: tuple[str, ...] = ()
    buffer: int = 1 << 20
    tls: Tls | None = None


LOG_SIZE = 20 << 20
LOG_FILES = 5
"""The limits of a log of which the file says nothing: those of Docker's driver ``local``."""


class Logging(Record):
    """max_size in bytes (0: never rotate); max_file counts the live file too.

    driver: json-file, local, none, syslog or journald. The last two have a receiver.
    """

    driver: str = "json-file"
    max_size: int = LOG_SIZE
    max_file: int = LOG_FILES
    receiver: Receiver | None = None
