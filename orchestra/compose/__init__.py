"""The file: text to located nodes to one merged, canonical, validated ``Stack``, and that to ``Desired``."""
