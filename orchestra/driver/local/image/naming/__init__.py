"""Names of images: names at registries, references to all sources, platforms. Pure."""
