"""The parts of ``orchestra.stacks.watch``: what a change of a file means, and what is done about it.

``patterns``, ``tree`` and ``decide`` decide, and change nothing; the others act.
"""
