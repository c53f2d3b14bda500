"""Completion: what a word that is being typed may become. The scripts of the shells ask for it on every Tab.

``spot`` says, from the table alone, what stands at the cursor; ``words`` asks the stacks for names that fit there;
``answer`` speaks with the scripts beside it. Standard library only: the user is waiting with a finger on a key.
"""
