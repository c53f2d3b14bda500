"""The use cases: one typed function for each operation on stacks. Standard library only.

Each takes a ``Context`` and its options, and returns a result; long operations report events on the way. The command
line and other front ends only ask and show. Heavy modules are imported where they are used.
"""
