"""Images of stacks, and images in the driver's library."""
