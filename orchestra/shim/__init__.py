"""The keepers of containers: the fork server, the shims it forks, the zygote that forks for these, and their client.

What may live here: standard library, ``orchestra.linux`` and ``orchestra.container`` only, single-threaded, cheap to
import, no policy. What they keep of a container on disk is told in ``orchestra.container``.
"""
