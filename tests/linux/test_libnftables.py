"""Transactions by the library, and by the program where the library cannot be loaded: the same, and refused alike."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading

import pytest

from orchestra.linux.network import libnftables
from orchestra.linux.network.namespace import inside, pin_namespace, unpin_namespace

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root"),
    pytest.mark.skipif(not libnftables.is_installed(), reason="needs libnftables"),
]
TABLES = {"nftables": [{"list": {"tables": None}}]}


@pytest.fixture
def namespace(tmp_path):
    path = str(tmp_path / "net")
    pin_namespace(path)
    yield path
    unpin_namespace(path)


@pytest.fixture(params=["library", "program"])
def way(request, monkeypatch):
    if request.param == "program":
        monkeypatch.setattr(libnftables, "_library", lambda: None)
    return request.param


def run(namespace, commands):
    return inside(namespace, libnftables.run, json.dumps(commands).encode())


def add(kind, **body):
    return {"add": {kind: {"family": "ip", **body}}}


def tables(namespace):
    return [item["table"]["name"] for item in json.loads(run(namespace, TABLES))["nftables"] if "table" in item]


def test_a_transaction_is_in_effect_and_listed(way, namespace):
    assert tables(namespace) == []
    chain = {"name": "forward", "type": "filter", "hook": "forward", "prio": 0, "policy": "accept"}
    rule = {"table": "one", "chain": "forward", "expr": [{"drop": None}]}
    run(namespace, {"nftables": [add("table", name="one"), add("chain", table="one", **chain), add("rule", **rule)]})
    assert tables(namespace) == ["one"]
    listing = inside(namespace, subprocess.check_output, ["nft", "list", "chain", "ip", "one", "forward"], text=True)
    assert "type filter hook forward priority filter; policy accept;" in listing
    assert "drop" in listing


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (add("rule", table="one", chain="none", expr=[{"drop": None}]), "No such file or directory"),
        ({"add": {"nothing": {}}}, "Unknown object"),
        (add("table", name="t" * 400), "name too long"),
    ],
)
def test_what_is_refused_has_no_effect(way, namespace, command, said):
    with pytest.raises(libnftables.Refused, match=said):
        run(namespace, {"nftables": [add("table", name="one"), command]})
    assert tables(namespace) == []


def test_what_is_no_transaction_is_refused(way, namespace):
    with pytest.raises(libnftables.Refused):
        inside(namespace, libnftables.run, b"{")


def test_without_the_capability_it_is_refused_and_the_process_goes_on(way):
    # The library prints an error and ends the process where it cannot go on: this one says so at its end.
    program = f"""
import json
from orchestra.linux.network import libnftables
if {way!r} == "program":
    libnftables._library = lambda: None
try:
    libnftables.run(json.dumps({{"nftables": [{add("table", name="one")}]}}).encode())
except libnftables.Refused as refused:
    print("refused:", refused)
"""
    line = ["setpriv", "--bounding-set", "-net_admin", "--inh-caps", "-all", sys.executable, "-c", program]
    done = subprocess.run(line, capture_output=True, text=True, check=True)
    assert "Operation not permitted" in done.stdout, done
    assert done.stdout.startswith("refused:")


def test_neither_library_nor_program(monkeypatch):
    monkeypatch.setattr(libnftables, "_library", lambda: None)
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(FileNotFoundError):
        libnftables.run(json.dumps(TABLES).encode())


def test_threads_take_turns(namespace):
    failed = []

    def work(number):
        try:
            for _ in range(20):
                run(namespace, {"nftables": [add("table", name=f"t{number}")]})
                run(namespace, {"nftables": [{"delete": {"table": {"family": "ip", "name": f"t{number}"}}}]})
        except Exception as error:
            failed.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    assert tables(namespace) == []


def test_the_library_runs_no_program(namespace, monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    run(namespace, {"nftables": [add("table", name="one")]})
    assert tables(namespace) == ["one"]
