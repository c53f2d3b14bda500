"""The command ``orchestra``. Its version is told before anything else is imported."""

import sys


def main() -> None:
    argv = sys.argv[1:]
    if argv in (["--version"], ["-v"], ["version"]):
        from orchestra import __version__

        print(f"Orchestra version {__version__}")
        return
    from orchestra.cli.start import start

    sys.exit(start(argv))


if __name__ == "__main__":
    main()
