"""The loop that keeps the world converged on what is desired, and the protocol it needs of a driver.

What may live here: asynchronous code on anyio that observes, asks ``plan``, and dispatches. No decision of its own.
"""
