"""``python -m orchestra.control STACK DRIVER``, started by the fork server. Exit code 0: the stack is over."""

import gc
import sys


def main(stack: str, driver_name: str) -> None:
    # What is imported stays, so nothing is gained by looking for garbage among it; ``live`` turns it on again.
    gc.disable()
    from orchestra.control.life import live

    live(stack, driver_name)


if __name__ == "__main__":
    main(*sys.argv[1:])
