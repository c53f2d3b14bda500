"""Completion: possible endings of the word being typed. The shells' scripts ask for them on every Tab.

``spot`` finds, from the table alone, what is at the cursor; ``words`` asks the stacks for names that fit there;
``answer`` talks to the scripts beside it. Standard library only: the user is waiting.
"""
