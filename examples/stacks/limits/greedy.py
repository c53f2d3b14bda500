"""Take as much of one resource as there is, and say how much that was."""

import os
import sys
import time


def memory(mebibytes: int) -> None:
    hoard = [bytearray(os.urandom(1 << 20)) for _ in range(mebibytes)]
    print(f"took {len(hoard)} MiB", flush=True)


def cpu(seconds: int) -> None:
    begin = time.monotonic()
    while time.monotonic() < begin + seconds:
        pass
    print(f"share {time.process_time() / (time.monotonic() - begin):.2f}", flush=True)


def pids(wanted: int) -> None:
    started = 0
    for _ in range(wanted):
        try:
            child = os.fork()
        except BlockingIOError:
            break
        if child == 0:
            time.sleep(60)
            os._exit(0)
        started += 1
    print(f"started {started} of {wanted}", flush=True)


{"memory": memory, "cpu": cpu, "pids": pids}[sys.argv[1]](int(sys.argv[2]))
