"""``ContainerSpec`` to OCI runtime configuration (runtime-spec 1.2). Pure, except ``host``, which looks at the machine.

The defaults are Docker's. If something cannot be granted, a FatalError names the service and says what to change;
nothing is left out silently. Import from the modules: a command that executes a program needs only ``process``.
"""
