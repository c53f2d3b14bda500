"""Write the manual pages into a directory: ``make man``."""

from __future__ import annotations

import sys

from tools.manual.pages import write_pages

write_pages(sys.argv[1])
