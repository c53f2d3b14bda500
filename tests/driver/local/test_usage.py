"""What a container uses, by the files of both versions of control groups."""

from __future__ import annotations

import os

import pytest

from orchestra.driver.local.usage import measure
from orchestra.linux.cgroup import Cgroup

MACHINE = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
V1 = {
    "cpuacct.usage": "3000000000\n",
    "memory.usage_in_bytes": "52428800\n",
    "memory.limit_in_bytes": "104857600\n",
    "memory.stat": "cache 30\ninactive_file 5\ntotal_inactive_file 2428800\n",
    "pids.current": "4\n",
    "pids.max": "max\n",
    "blkio.throttle.io_service_bytes_recursive": "8:0 Read 100\n8:0 Write 20\n8:0 Sync 120\n8:16 Read 1\nTotal 121\n",
}
V2 = {
    "cpu.stat": "usage_usec 3000000\nuser_usec 2000000\nsystem_usec 1000000\n",
    "memory.current": "52428800\n",
    "memory.max": "104857600\n",
    "memory.stat": "file 30\ninactive_file 2428800\n",
    "pids.current": "4\n",
    "pids.max": "max\n",
    "io.stat": "8:0 rbytes=100 wbytes=20 rios=1 wios=1 dbytes=0 dios=0\n8:16 rbytes=1 wbytes=0 rios=1 wios=0\n",
}


class Group(Cgroup):
    """Whose files, of every controller, are in one directory."""

    def __init__(self, path: str) -> None:
        self._path = path

    def directory(self, controller: str) -> str:
        return self._path


def group(path, files: dict[str, str]) -> Group:
    for name, text in files.items():
        (path / name).write_text(text)
    return Group(str(path))


@pytest.mark.parametrize("files", [V1, V2], ids=["version 1", "version 2"])
def test_both_versions_are_counted_as_docker_counts(files, tmp_path):
    usage = measure(group(tmp_path, files), os.getpid())
    assert usage.processor == 3_000_000_000
    assert (usage.memory, usage.memory_limit) == (50_000_000, 104857600)
    assert (usage.read, usage.written, usage.processes) == (101, 20, 4)
    assert (usage.received, usage.sent) == (0, 0), "it is in our network"


@pytest.mark.parametrize("unlimited", [{"memory.limit_in_bytes": "9223372036854771712\n"}, {"memory.max": "max\n"}])
def test_without_a_limit_there_is_the_machines_memory(unlimited, tmp_path):
    files = V1 if "memory.limit_in_bytes" in unlimited else V2
    assert measure(group(tmp_path, {**files, **unlimited}), os.getpid()).memory_limit == MACHINE


def test_a_container_without_a_group_or_a_process_uses_nothing(tmp_path):
    usage = measure(group(tmp_path, {}), 2**22 + 1)
    assert (usage.processor, usage.memory, usage.memory_limit, usage.received) == (0, 0, MACHINE, 0)


@pytest.mark.parametrize(
    ("file", "known"), [("blkio.throttle.io_service_bytes_recursive", None), ("io.stat", 0)], ids=["version 1", "2"]
)
def test_block_traffic_is_unknown_where_the_kernel_does_not_count(file, known, tmp_path):
    usage = measure(group(tmp_path, {file: "" if file == "io.stat" else "Total 0\n"}), os.getpid())
    assert (usage.read, usage.written) == (known, known)
