"""Docker's Engine API on a socket, for tools that speak it: another face over ``orchestra.stacks``.

Not ``orchestra.api``, which is what Python programs import. ``routes`` lists every endpoint with its handler; a handler
reads a request, asks ``stacks`` or the driver's files, and answers in Docker's shapes. Each connection has a thread of
its own, since everything below blocks. The process keeps nothing that another one would need: what is made through it
belongs to the stack ``engine-api``, and lives on without it.
"""
