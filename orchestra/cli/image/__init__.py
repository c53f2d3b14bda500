"""The commands ``orchestra image ...``, and code that they share with the commands for a stack's images."""
