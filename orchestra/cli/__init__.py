"""The face: one module per command, imported only when its command runs.

``table`` says which commands and options there are. From it ``parse`` reads a command line without any library, and
``typed`` makes the Typer application that answers ``--help`` and everything that does not parse. Both lead to the same
``Invocation``, which the command's module runs.
"""
