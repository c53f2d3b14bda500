"""Images of stacks, and of the driver's library."""
