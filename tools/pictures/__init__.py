"""The drawings of the documentation, as SVG files that follow the reader's light or dark scheme.

    python -m tools.pictures

Mermaid would need a script from the network when the site is read; these files need nothing.
"""
