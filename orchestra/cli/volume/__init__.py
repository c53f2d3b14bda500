"""The commands ``orchestra volume ...``, and what those for a stack's volumes share with them."""
