"""The host of one stack's engine: lifetime, control socket, adoption. ``client`` and ``wire`` are stdlib-only."""
