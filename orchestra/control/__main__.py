"""The supervisor of STACK with DRIVER, forked by the fork server. Exits with 0 when the stack is down."""

import gc
import sys


def main(stack: str, driver_name: str) -> None:
    # Imported modules stay in memory, so collecting garbage now gains nothing; ``live`` enables the collector again.
    gc.disable()
    from orchestra.control.life import live

    live(stack, driver_name)


if __name__ == "__main__":
    main(*sys.argv[1:])
