"""The use cases: one typed function for each thing that can be done with stacks. Standard library only.

Each takes a ``Context`` and its options, and returns a result; what takes time tells events on the way. Command line,
and whatever other faces there are, only ask and show. What is heavy is imported where it is used.
"""
