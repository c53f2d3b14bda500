"""Standard input by itself, on a FIFO as that of a container."""

from __future__ import annotations

import os
import selectors

import pytest

from orchestra.shim.input import Input


@pytest.fixture
def fifo(tmp_path):
    os.mkfifo(tmp_path / "stdin")
    return tmp_path / "stdin"


@pytest.mark.parametrize("is_early", [True, False], ids=["early", "late"])
def test_input_that_ends_before_the_container_opens_it_is_not_lost(fifo, is_early):
    with selectors.DefaultSelector() as selector:
        written = Input(selector, lambda _has_room: None)
        written.open(os.open(fifo, os.O_RDWR | os.O_NONBLOCK))
        if is_early:
            written.write(b"typed")
            written.end()
        reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
        written.reader_is_there()
        if not is_early:
            written.write(b"typed")
            written.end()
        os.set_blocking(reader, True)
        assert (os.read(reader, 100), os.read(reader, 100)) == (b"typed", b"")
        os.close(reader)
