"""Files into and out of containers, whether they run or not: ``cp``, ``export`` and ``commit``.

Containers may hold anything, and change it while it is copied. So nothing is reached by a path of the host: ``root``
opens a container's root, ``place`` resolves paths within it (openat2(2)), and ``reading`` and ``writing`` go on from
there by descriptors and single names, without following links. What is copied is a stream of tar headers, each with
its content (``item``); ``archive`` turns it into a real archive if needed.
"""
