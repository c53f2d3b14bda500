"""An unpacking process, killed before its operation of a given number: ``dying POINT DATA RUN``."""

from __future__ import annotations

import sys

from orchestra.driver.local.image.layers import unpack_process

from .puller import Operations


def main() -> None:
    sys.addaudithook(Operations(int(sys.argv.pop(1))))
    unpack_process.main()


if __name__ == "__main__":
    main()
