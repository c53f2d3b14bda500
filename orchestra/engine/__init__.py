"""The loop that converges the world on the desired state, and the protocol that a driver implements for it.

What belongs here: asynchronous code on anyio that observes, asks ``plan``, and dispatches. It makes no decisions.
"""
