"""Carrying out builds: each step of a graph (``orchestra.build.step``) makes a file tree out of others.

A *file tree* is a stack of the layers that ``Snapshotter`` keeps. A step that changes one works on a writable snapshot
over it; what it wrote becomes the next layer, by its chain id, and a record remembers it under the key of the step.
Snapshots, containers, networks and cgroups of builds belong to a stack of their own, ``stack.BUILDS``, so that
``system prune`` finds what a killed build leaves; a running build holds the lock of that stack.
"""
