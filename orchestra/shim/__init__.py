"""What keeps containers running: the fork server, its shims, the zygote that forks for them, and their client.

What may live here: standard library, ``orchestra.linux`` and ``orchestra.container`` only, single-threaded, cheap to
import, no policy. ``orchestra.container`` describes the files of a container.
"""
