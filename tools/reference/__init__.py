"""The generated parts of docs/reference: what the program knows about itself, as tables of Markdown.

    python -m tools.reference

writes them anew between their marks. A test fails while a page says anything else than the sources.
"""
