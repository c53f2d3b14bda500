"""The page of one stack in a browser: requests of the page become calls of ``orchestra.stacks``, and results JSON.

The page itself is plain files in ``static/``, served as they are: no build step, and nothing from another server.
Use cases block, so each runs in a worker thread.
"""
