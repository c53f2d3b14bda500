"""A stack in a Kubernetes cluster: a client of its API, and what is done with it.

The cluster keeps what it is given running by itself. So nothing here stays: each use is one pass that ends. Knows
nothing of Compose; the objects come from ``orchestra.translation``.
"""
