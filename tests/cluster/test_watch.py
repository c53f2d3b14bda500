"""Changes as they come: gaps, cuts and bookmarks, and what waits for them."""

from __future__ import annotations

import threading
from functools import partial

import pytest

from orchestra.cluster.access import Access
from orchestra.cluster.api import Api
from orchestra.cluster.http import Http
from orchestra.cluster.news import News
from orchestra.cluster.watch import DELETED, LISTED, follow

PODS = "/api/v1/namespaces/default/pods"
LONG = 1000.0
"""Seconds, more than a test may take: what waits as long as this has not been woken up."""


@pytest.fixture
def live(url):
    http = Http(Access(url), {})
    yield Api(http, "default")
    http.cut()
    http.close()


@pytest.fixture
def pods(server):
    class Pods:
        def put(self, name, kind="MODIFIED"):
            item = server.objects.setdefault(f"{PODS}/{name}", {"kind": "Pod", "metadata": {"name": name}})
            server.tell(f"{PODS}/{name}", kind, item)

    return Pods()


def telling(api, watches=1):
    return News([partial(follow, api, PODS, {})] * watches, api.http.cut, tells_all=True)


def names(found):
    return [(seen.kind, seen.item["metadata"]["name"]) for seen in found]


def take(changes, count):
    return names(next(changes) for _ in range(count))


def test_what_there_is_comes_first_then_changes(live, pods):
    pods.put("a")
    changes = follow(live, PODS, {})
    assert take(changes, 1) == [(LISTED, "a")]
    pods.put("b", "ADDED")
    pods.put("a")
    pods.put("b", DELETED)
    assert take(changes, 3) == [("ADDED", "b"), ("MODIFIED", "a"), (DELETED, "b")]


def test_a_watch_that_is_cut_goes_on_where_it_was(live, pods, server):
    pods.put("a")
    waits = []
    changes = follow(live, PODS, {}, waits.append)
    assert take(changes, 1) == [(LISTED, "a")]
    server.tell("", "CUT", {})
    pods.put("b", "ADDED")
    assert take(changes, 1) == [("ADDED", "b")]
    watches = [line for line in server.seen if "watch=true" in line]
    assert len(watches) >= 2
    assert sum("watch=true" not in line for line in server.seen) == 1  # nothing was listed again
    assert waits


def test_a_bookmark_moves_the_place_on(live, pods, server):
    pods.put("a")
    changes = follow(live, PODS, {}, lambda _seconds: None)
    take(changes, 1)
    pods.put("a")
    take(changes, 1)
    server.tell("", "BOOKMARK", {"kind": "Pod"})
    server.tell("", "CUT", {"oldest": server.version})  # what was before the bookmark is forgotten
    pods.put("b", "ADDED")
    assert take(changes, 1) == [("ADDED", "b")]
    assert sum("watch=true" not in line for line in server.seen) == 1


def test_after_a_gap_there_is_a_new_list(live, pods, server):
    pods.put("a")
    changes = follow(live, PODS, {})
    take(changes, 1)
    pods.put("b", "ADDED")
    server.oldest = server.version
    assert take(changes, 2) == [(LISTED, "a"), (LISTED, "b")]


def test_a_gap_that_is_told_before_the_watch_begins(live, pods, server):
    pods.put("a")
    server.fail(f"GET {PODS}?watch", 410)
    changes = follow(live, PODS, {})
    assert take(changes, 2) == [(LISTED, "a"), (LISTED, "a")]


def test_waiting_ends_with_a_change(live, pods):
    pods.put("a")
    with telling(live) as news:
        news.wait(LONG)  # what there is
        changed = threading.Event()

        def change():
            changed.set()
            pods.put("a")

        timer = threading.Timer(0.2, change)
        timer.start()
        news.wait(LONG)
        assert changed.is_set()
        timer.join()


def test_without_watches_waiting_is_short(live, server):
    server.fail(f"GET {PODS}", 403)
    with telling(live) as news:
        news.wait(LONG)
        news.wait(LONG)


def test_the_end_wakes_up_who_waits_for_a_connection(live, pods):
    pods.put("a")
    before = threading.active_count()
    with telling(live, 2) as news:
        news.wait(LONG)
    assert not [thread for thread in threading.enumerate() if thread.name.endswith("(_run)")]
    assert threading.active_count() <= before + 2  # those of the server
