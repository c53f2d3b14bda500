"""What waits for a client is bounded, and what it misses is replaced by what is newer."""

from __future__ import annotations

import anyio
import pytest

from orchestra.web.feed import AGAIN, KEPT, Feed, Message

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend():
    return "asyncio"


def message(topic, number):
    return Message(topic, str(number).encode())


async def test_a_reader_begins_with_the_newest_state():
    feed = Feed()
    for number in range(3):
        feed.publish(message("state", number))
    with feed.reader() as reader:
        assert await reader.take(10) == [message("state", 2)]


async def test_one_that_does_not_read_keeps_one_state_and_no_more_events_than_there_is_room_for():
    feed = Feed()
    with feed.reader() as slow, feed.reader() as quick:
        heard = []
        for number in range(10 * KEPT):
            feed.publish(message("state", number))
            feed.publish(message("event", number))
            heard += await quick.take(10)
        assert len([each for each in heard if each.topic == "event"]) == 10 * KEPT
        found = await slow.take(10)
    assert message("state", 10 * KEPT - 1) in found
    assert AGAIN in found
    assert len(found) <= KEPT + 2


async def test_events_that_fit_are_all_kept_in_their_order():
    feed = Feed()
    with feed.reader() as reader:
        sent = [message("event", number) for number in range(KEPT)]
        for each in sent:
            feed.publish(each)
        assert await reader.take(10) == sent


async def test_a_reader_that_waits_is_told_at_once_and_at_the_end():
    feed = Feed()
    heard = []

    async def read():
        with feed.reader() as reader:
            while not reader.is_over:
                heard.extend(await reader.take(60))

    async with anyio.create_task_group() as group:
        group.start_soon(read)
        await anyio.wait_all_tasks_blocked()
        feed.publish(message("event", 1))
        await anyio.wait_all_tasks_blocked()
        assert heard == [message("event", 1)]
        feed.close()
    assert not feed.has_readers


async def test_after_the_end_a_reader_is_over_from_the_beginning():
    feed = Feed()
    feed.close()
    with feed.reader() as reader:
        assert reader.is_over
        assert await reader.take(60) == []
