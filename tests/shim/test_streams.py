"""Standard input, terminals, and attaching to either."""

from __future__ import annotations

import os
import selectors
import socket
import termios

from orchestra.container import wire
from orchestra.container.directory import ContainerDirectory
from orchestra.container.settings import load_settings, store_settings
from orchestra.container.starting import StartingProcess
from orchestra.linux import process, tty, unix_socket
from orchestra.record import replace
from orchestra.shim import client
from orchestra.shim.attachment import receive_greeting
from orchestra.shim.frames import END, ERROR, INPUT, OUTPUT, Frames, frame
from orchestra.shim.shim import Shim
from tests.shim.conftest import eventually


class Attached:
    """A client of the attach socket."""

    def __init__(self, container) -> None:
        self.connection = unix_socket.connect(f"{container.directory}/shim.sock")
        wire.send(self.connection, {"op": "attach"})
        self.begin()

    def begin(self):
        self.answer, fds = receive_greeting(self.connection)
        self.terminal = fds[0] if fds else -1
        self.connection.settimeout(30)
        self.frames = Frames()
        self.streams = {OUTPUT: b"", ERROR: b""}
        self.end = None

    def __enter__(self) -> Attached:
        return self

    def __exit__(self, *_exception) -> None:
        self.connection.close()
        if self.terminal >= 0:
            os.close(self.terminal)

    @property
    def output(self):
        return self.streams[OUTPUT]

    def send(self, data):
        self.connection.sendall(frame(INPUT, data))

    def read(self):
        """Whether there was something."""
        data = self.connection.recv(65536)
        for number, content in self.frames.take(data):
            if number == END:
                self.end = content
            else:
                self.streams[number] += content
        return bool(data)

    def until(self, text):
        while text not in self.output:
            assert self.read(), self.streams
        return self.output

    def rest(self):
        while self.read():
            continue
        return self.output


class Called(Attached):
    """A client that a shim connects to, as ``shim.json`` of the container says."""

    def __init__(self, container, path) -> None:
        self.listener = unix_socket.listen(str(path))
        self.listener.settimeout(30)
        settings = load_settings(ContainerDirectory(container.directory))
        store_settings(ContainerDirectory(container.directory), replace(settings, caller=str(path)))

    def answer_call(self):
        self.connection, _address = self.listener.accept()
        self.begin()

    def __exit__(self, *exception) -> None:
        self.listener.close()
        super().__exit__(*exception)


def test_attached_clients_see_everything_up_to_the_end(stack):
    container = stack.shell("echo first; echo second >&2; seq 1 3000; echo last")
    container.create()
    with Attached(container) as one, Attached(container) as two:
        assert one.answer == {"terminal": False}
        client.start(container.directory)
        for each in (one, two):
            assert each.rest().startswith(b"first\n1\n2\n")
            assert each.output.endswith(b"\n3000\nlast\n")
            assert each.streams[ERROR] == b"second\n"
            assert each.end == b"0"
    assert container.wait().exit_code == 0


def test_input_reaches_the_program(stack):
    container = stack.shell("while read line; do echo got $line; [ $line = end ] && exit 3; done", stdin=True)
    container.run()
    with Attached(container) as one:
        one.send(b"hello\n")
        one.until(b"got hello\n")
    with Attached(container) as another:
        another.send(b"end\n")
        another.until(b"got end\n")
    assert container.wait().exit_code == 3


def test_without_standard_input_it_reads_the_end_at_once(stack):
    assert stack.shell("cat; echo done").finish() == ["done"]


def test_a_client_that_does_not_read_holds_the_container_back_until_it_leaves(stack):
    container = stack.shell(f"yes {'y' * 999} | head -c 3000000; echo; echo done")
    container.create()
    with Attached(container):
        client.start(container.directory)
        eventually(lambda: container.texts("stdout"))
        assert client.wait(container.directory, 0.5) is None
    assert container.wait().exit_code == 0
    assert container.texts("stdout")[-1] == "done"


def test_a_client_that_does_not_read_keeps_no_container_from_ending_and_reads_it_all_later(stack):
    container = stack.shell("echo begin; yes; ")
    container.create()
    with Attached(container) as one, Attached(container) as other:
        client.start(container.directory)
        one.until(b"begin")
        client.kill(container.directory, 9)
        assert container.wait().exit_code == 137
        assert one.rest() == other.rest()
        assert (one.end, other.end) == (b"137", b"137")
        assert len(one.output) == sum(len(text) + 1 for text in container.texts("stdout"))


def test_a_slow_client_gets_every_byte_of_both_streams(stack):
    container = stack.shell("seq 1 200000 & seq 1 200000 >&2; wait")
    container.create()
    wanted = b"".join(b"%d\n" % number for number in range(1, 200001))
    with Attached(container) as one:
        client.start(container.directory)
        one.rest()
        assert one.streams[OUTPUT] == wanted
        assert one.streams[ERROR] == wanted


def test_the_client_that_is_called_misses_nothing_and_its_input_is_the_programs(stack, tmp_path):
    container = stack.shell("echo first; wc -c; echo over", stdin=True)
    with Called(container, tmp_path / "client.sock") as one:
        container.run()
        one.answer_call()
        assert one.answer == {"terminal": False}
        one.until(b"first")
        for _ in range(50):
            one.send(b"x" * 60000)
        one.send(b"")
        assert one.rest() == b"first\n3000000\nover\n"
        assert one.end == b"0"


def test_input_ends_with_the_client_that_is_called(stack, tmp_path):
    container = stack.shell("cat; exit 4", stdin=True)
    with Called(container, tmp_path / "client.sock") as one:
        container.run()
        one.answer_call()
    assert container.wait().exit_code == 4


def test_without_the_client_it_runs_without_input(stack, tmp_path):
    container = stack.shell("cat; exit 4", stdin=True)
    with Called(container, tmp_path / "client.sock") as one:
        one.listener.close()
        container.run()
        assert container.wait().exit_code == 4
        one.listener, one.connection = (socket.socket(), socket.socket())
        one.terminal = -1


def test_a_client_that_says_nothing_stalls_nobody(stack):
    container = stack.container("sleep", "60")
    container.create()
    with unix_socket.connect(f"{container.directory}/shim.sock"):
        assert client.start(container.directory).pid
    with unix_socket.connect(f"{container.directory}/shim.sock") as silly:
        silly.sendall(b'{"op": "dance"}\n')
        assert "error" in wire.receive(silly)[0]


def test_a_terminal(stack):
    container = stack.shell(
        "tty; stty size; [ -t 0 -a -t 1 -a -t 2 ] && echo all; echo x > /dev/console; trap 'stty size; exit' WINCH;"
        " read line; echo got $line; while :; do sleep 0.01; done",
        terminal=True,
        consoleSize={"height": 30, "width": 100},
        stdin=True,
    )
    container.run()
    with Attached(container) as one:
        assert one.answer == {"terminal": True}
        eventually(lambda: len(container.texts("stdout")) >= 4)
        assert container.texts("stdout") == ["/dev/pts/0", "30 100", "all", "x"]
        one.send(b"word\n")
        one.until(b"got word\r\n")
        tty.set_size(one.terminal, tty.Size(40, 120))
        one.until(b"40 120\r\n")
    assert container.wait().exit_code == 0
    assert container.texts("stdout")[-1] == "40 120"


def test_an_interrupt_from_the_keyboard(stack):
    container = stack.shell(
        "trap 'echo interrupted; exit 5' INT; echo ready; while :; do sleep 0.01; done", terminal=True
    )
    container.run()
    with Attached(container) as one:
        eventually(lambda: container.texts("stdout"))
        assert termios.tcgetattr(one.terminal)[3] & termios.ISIG
        one.send(b"\x03")
        one.until(b"interrupted")
    assert container.wait().exit_code == 5


def test_a_terminal_under_the_reaper(stack):
    container = stack.shell(
        "trap 'exit 6' INT; echo ready; while :; do sleep 0.01; done",
        terminal=True,
        annotations={"io.orchestra.init": "true"},
    )
    container.run()
    with Attached(container) as one:
        eventually(lambda: container.texts("stdout"))
        one.send(b"\x03")
        assert container.wait().exit_code == 6


def test_a_terminal_that_is_over_before_its_program_is_told_to_run_is_closed_once(tmp_path):
    """The end of the terminal is heard before the first process's last words: its number may be another's by then."""
    parent, _fork_server = socket.socketpair()
    channel, first_process = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    config = {"process": {"terminal": True}}
    with parent, _fork_server, first_process:
        shim = Shim(ContainerDirectory(str(tmp_path)), parent, process.identify(os.getpid()))
        shim.config = config
        shim.starting = StartingProcess(config, channel, shim._describe, shim.warnings.append)
        shim.selector.register(channel, selectors.EVENT_READ, shim._hear_container)
        master, slave = os.openpty()
        wire.send(first_process, {"terminal": True}, (master,))
        os.close(master)
        shim.turn()
        assert shim.streams.terminal >= 0
        os.close(slave)
        shim.turn()
        assert shim.streams.terminal < 0
        other = os.open("/dev/null", os.O_RDONLY)  # gets its number
        wire.send(first_process, {"executing": True})
        shim.turn()
        assert shim.streams.terminal < 0
        assert os.get_blocking(other)
        shim.close()
        os.close(other)
