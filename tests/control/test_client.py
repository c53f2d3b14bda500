"""The client alone, with a supervisor that is killed whenever it is asked."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from orchestra.control.client import ATTEMPTS, Client
from orchestra.errors import EnvironmentLack
from orchestra.home import Home
from orchestra.linux import unix_socket
from orchestra.model.request import StopRequest
from orchestra.model.result import DownResult


@pytest.mark.parametrize(
    ("recorded", "told"),
    [
        (False, "the request is not recorded: repeat the command"),
        (True, "the request is recorded, and the next supervisor carries it out"),
    ],
)
def test_a_command_whose_supervisors_are_killed_says_what_becomes_of_its_request(tmp_path, recorded, told):
    home = Home(f"{tmp_path}/data", f"{tmp_path}/run").stack("s")
    os.makedirs(home.data)
    os.makedirs(home.run)
    Path(home.desired).write_text("{}")

    def be_killed() -> None:
        for _ in range(ATTEMPTS):
            connection, _address = listening.accept()
            with connection:
                connection.recv(1)
                if recorded:
                    Path(f"{home.desired}.new").write_text("{}")
                    os.replace(f"{home.desired}.new", home.desired)

    with unix_socket.listen(home.control_socket) as listening:
        supervisors = threading.Thread(target=be_killed)
        supervisors.start()
        with pytest.raises(EnvironmentLack, match=told) as caught:
            Client(home).ask(DownResult, StopRequest())
        supervisors.join()
    assert home.supervisor_log in caught.value.hint
    assert caught.value.exit_code == 1
