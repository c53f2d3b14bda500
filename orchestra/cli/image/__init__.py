"""The commands ``orchestra image ...``, and what those for a stack's images share with them."""
