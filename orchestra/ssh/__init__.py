"""A command that is given here and runs on another machine: what passes between the two, through the ``ssh`` program.

Standard library only. What is sent and who runs what is decided by the callers.
"""

ANSWERING = "__answer"
"""The word that makes the command on the other machine answer, instead of a command."""
