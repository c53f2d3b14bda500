"""A stack in a cluster: one module for each thing that is done with it there."""
