"""A process that does nothing until its input ends."""

import sys

if __name__ == "__main__":
    sys.stdin.read()
