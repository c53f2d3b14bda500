"""The command ``orchestra``. Its version is told before anything else is imported."""

import gc
import os
import sys


def main() -> None:
    open_standard_streams()
    argv = sys.argv[1:]
    if argv in (["--version"], ["-v"], ["version"]):
        from orchestra import __version__

        print(f"Orchestra version {__version__}")
        return
    from orchestra.cli.start import start

    code = start(argv)
    # At its end the interpreter looks for garbage once more: a tenth of the time of a command with nothing to do.
    gc.freeze()
    sys.exit(code)


def open_standard_streams() -> None:
    """Open on /dev/null what of 0 to 2 the caller has closed, so that no file or socket of ours gets such a number."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            # The lowest number that is free: those before it are open by now.
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)
            setattr(sys, name, open(number, "r" if number == 0 else "w", closefd=False))  # noqa: SIM115


if __name__ == "__main__":
    main()
