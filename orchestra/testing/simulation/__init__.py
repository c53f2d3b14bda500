"""A stack in memory on a virtual clock: the real engine, a fake world, and troubles that follow from a seed.

Hours pass in milliseconds, and the same seed gives the same run. ``Simulation`` runs one life and checks throughout
what must never happen; ``Troubles`` says what goes wrong in it.
"""
