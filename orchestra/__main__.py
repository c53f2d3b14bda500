"""The command ``orchestra``. Its version is told before anything else is imported."""

import gc
import sys


def main() -> None:
    if None in (sys.stdin, sys.stdout, sys.stderr):
        from orchestra.linux.standard_streams import open_closed_streams

        open_closed_streams()
    argv = sys.argv[1:]
    if argv in (["--version"], ["-v"], ["version"]):
        from orchestra import __version__

        print(f"Orchestra version {__version__}")
        return
    gc.set_threshold(50_000)
    from orchestra.cli.start import start

    code = start(argv)
    # At its end the interpreter looks for garbage once more: a tenth of the time of a command with nothing to do.
    gc.freeze()
    sys.exit(code)


if __name__ == "__main__":
    main()
