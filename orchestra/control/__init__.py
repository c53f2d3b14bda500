"""Hosts the engine of one stack: lifetime, control socket, adoption. ``client`` and ``wire`` are stdlib-only."""
