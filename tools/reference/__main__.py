"""Write the generated parts of every page anew: ``make reference``."""

from __future__ import annotations

from tools.reference.pages import PAGES, ROOT

for page, renew in PAGES.items():
    before = page.read_text(encoding="utf-8")
    after = renew(before)
    if after != before:
        page.write_text(after, encoding="utf-8")
        print(f"written: {page.relative_to(ROOT)}")
