from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestra.units import (
    ByteSize,
    PortRange,
    format_duration,
    parse_bytes,
    parse_duration,
    parse_port_range,
)

SECOND = 1_000_000_000


@pytest.mark.parametrize(
    ("text", "nanoseconds"),
    [
        ("90s", 90 * SECOND),
        ("1m30s", 90 * SECOND),
        ("1h", 3600 * SECOND),
        ("1.5s", 1_500_000_000),
        (".5s", 500_000_000),
        ("100ms", 100_000_000),
        ("3us", 3_000),
        ("3µs", 3_000),
        ("7ns", 7),
        ("0", 0),
        ("-2s", -2 * SECOND),
        ("1d", 86_400 * SECOND),
        ("0.1s", 100_000_000),
    ],
)
def test_a_duration_is_read_as_go_reads_it(text, nanoseconds):
    assert parse_duration(text) == nanoseconds


@pytest.mark.parametrize("text", ["", "10", "s", "1 s", "1m 30s", "1x", "1s2", "--1s", "1..5s"])
def test_what_is_no_duration_is_refused(text):
    with pytest.raises(ValueError, match="duration"):
        parse_duration(text)


@pytest.mark.parametrize(
    ("nanoseconds", "text"),
    [
        (0, "0s"),
        (90 * SECOND, "1m30s"),
        (3600 * SECOND, "1h0m0s"),
        (1_500_000_000, "1.5s"),
        (100_000_000, "100ms"),
        (1_500, "1.5µs"),
        (1, "1ns"),
        (-SECOND, "-1s"),
        (86_400 * SECOND, "24h0m0s"),
    ],
)
def test_a_duration_is_written_as_go_writes_it(nanoseconds, text):
    assert format_duration(nanoseconds) == text


@given(st.integers(min_value=-(2**62), max_value=2**62))
def test_a_written_duration_reads_back_the_same(nanoseconds):
    assert parse_duration(format_duration(nanoseconds)) == nanoseconds


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("512m", 512 * 1024**2),
        ("1g", 1024**3),
        ("1GB", 1024**3),
        ("1GiB", 1024**3),
        ("64k", 65536),
        ("1.5k", 1536),
        ("100", 100),
        ("100b", 100),
        ("-1", -1),
        ("2 MB", 2 * 1024**2),
    ],
)
def test_a_size_is_read_as_docker_reads_it(text, size):
    assert parse_bytes(text) == size


@pytest.mark.parametrize("text", ["", "m", "5x", "1.2.3m", "0x10"])
def test_what_is_no_size_is_refused(text):
    with pytest.raises(ValueError, match="size"):
        parse_bytes(text)


@given(st.integers(min_value=0, max_value=2**63))
def test_a_written_size_reads_back_the_same(size):
    assert parse_bytes(str(ByteSize(size))) == size


def test_a_port_range_counts_both_ends():
    assert parse_port_range("8000-8010") == PortRange(8000, 8010)
    assert len(parse_port_range("8000-8010")) == 11
    assert str(parse_port_range("80")) == "80"


@pytest.mark.parametrize("text", ["", "a", "80-", "90-80", "65536", "-1", "1-2-3"])
def test_what_is_no_port_is_refused(text):
    with pytest.raises(ValueError, match=r"port|range"):
        parse_port_range(text)
