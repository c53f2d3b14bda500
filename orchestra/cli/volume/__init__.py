"""The commands ``orchestra volume ...``, and code that they share with the commands for a stack's volumes."""
