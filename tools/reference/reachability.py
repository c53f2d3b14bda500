"""Who reaches what, from the table that the tests of networks hold."""

from __future__ import annotations

from tests.driver.local.net.reachability import CONTAINERS, SITES, TABLE, Place, Row
from tools.reference import marks

SOURCES = (*CONTAINERS, "host", "lan")
COLUMNS = {
    "`web` itself": (Place.CONTAINER, "web"),
    "its published port": (Place.PUBLISHED_AT_HOST, ""),
    "its port published at 127.0.0.1": (Place.LOCAL_AT_HOST, ""),
    "the host": (Place.HOST, ""),
    "another machine": (Place.LAN, ""),
}
VERSIONS = {(4,): "IPv4", (6,): "IPv6", (4, 6): "both"}


def renew(page: str) -> str:
    page = marks.replace(page, "sites", marks.table(("name", "what it is"), list(_sites())))
    page = marks.replace(page, "overview", marks.table(("from", *COLUMNS), [_overview(name) for name in SOURCES]))
    header = ("from", "to", "by", "Internet Protocol", "arrives at", "without the rules")
    return marks.replace(page, "reachability", marks.table(header, [_line(row) for row in TABLE]))


def _sites() -> list[tuple[str, str]]:
    return [(f"`{name}`", text) for name, text in SITES.items()]


def _overview(source: str) -> tuple[str, ...]:
    return (f"`{source}`", *(_answer(source, place, name) for place, name in COLUMNS.values()))


def _answer(source: str, place: Place, name: str) -> str:
    """Whether anything from the source arrives there; empty if the tests do not try it."""
    rows = [row for row in TABLE if (row.place, row.name) == (place, name) and source in row.sources]
    if not rows:
        return ""
    return "yes" if any(row.arrives for row in rows) else "no"


def _line(row: Row) -> tuple[str, ...]:
    return (
        _names(row.sources),
        row.place.value.format(row.name),
        ", ".join(each.upper() for each in row.protocols),
        VERSIONS[row.versions],
        _names(row.arrives),
        _names(row.bare),
    )


def _names(names: tuple[str, ...]) -> str:
    return ", ".join(f"`{name}`" for name in names) or "nowhere"
