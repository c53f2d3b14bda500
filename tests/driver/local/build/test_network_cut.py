"""A network that goes away while a command uses it."""

from __future__ import annotations

import json
import socket
import subprocess
import threading

import pytest

from orchestra.build.step import Network
from orchestra.driver.local.build.execute import StepError
from orchestra.driver.local.image.content.check import check_store
from tests.driver.local.build.making import MACHINE, build, graph, shell
from tests.driver.local.build.test_cache import leftovers
from tests.driver.local.image.making import needs_root

pytestmark = needs_root

# With a limit, as tools that download have one: a connection over a dead network never ends by itself.
FETCH = """
gateway=$(ip route show default | cut -d" " -f3)
timeout 1 bash -c 'exec 3<>/dev/tcp/$0/$1; cat <&3 > /fetched' $gateway PORT
"""


def bridge_with(address: str) -> str:
    rows = json.loads(subprocess.run(["ip", "-j", "addr"], capture_output=True, check=True).stdout)
    [found] = [row["ifname"] for row in rows if any(one.get("local") == address for one in row["addr_info"])]
    return found


def test_what_was_fetched_in_part_counts_for_nothing(home):
    with socket.create_server(("0.0.0.0", 0)) as server:
        step = shell(0, FETCH.replace("PORT", str(server.getsockname()[1])))
        cut: list[str] = []

        def serve() -> None:
            for text in ("first second", "first second"):
                connection, _ = server.accept()
                with connection:
                    connection.sendall(b"first ")
                    if not cut:
                        cut.append(bridge_with(connection.getsockname()[0]))
                        subprocess.run(["ip", "link", "set", cut[0], "down"], check=True)
                        connection.shutdown(socket.SHUT_RDWR)
                        continue
                    connection.sendall(text.removeprefix("first ").encode())

        serving = threading.Thread(target=serve)
        serving.start()
        with pytest.raises(StepError, match="exit code 124"):
            build(home, graph(MACHINE, step), network=Network.DEFAULT)
        assert check_store(home).is_sound
        assert leftovers(home) == []
        # The next command has its network again.
        built = build(home, graph(MACHINE, step), network=Network.DEFAULT)
        serving.join()
    assert built.made == [1]
    assert built.files()["fetched"].endswith("first second")
    assert check_store(home).is_sound
    assert build(home, graph(MACHINE, step), network=Network.DEFAULT).made == []
