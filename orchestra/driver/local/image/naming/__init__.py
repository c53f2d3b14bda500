"""How images are called: names at registries, references to all places, platforms. Pure."""
