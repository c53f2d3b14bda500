"""Manual pages, written in the macros of man(7), which both groff and mandoc render.

Options, arguments and examples come from the command table; prose, exit codes and variables from the reference.
"""
