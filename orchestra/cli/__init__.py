"""The command line: one module per command, imported only when its command runs.

``table`` lists the commands and options. From it ``parse`` reads a command line without any library, and
``typed`` makes the Typer application that handles ``--help`` and everything that does not parse. Both produce the same
``Invocation``, which the command's module runs.
"""
