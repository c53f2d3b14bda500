"""The process that follows the files of STACK with DRIVER. Ends when its standard input does."""

from __future__ import annotations

import os
import sys

from orchestra.home import find_home
from orchestra.linux import process
from orchestra.stacks.following.follow import follow

if __name__ == "__main__":
    process.set_name("orchestra-follow")
    stack, driver = sys.argv[1:]
    follow(find_home(os.environ, os.getuid()), stack, driver, sys.stdin.fileno())
