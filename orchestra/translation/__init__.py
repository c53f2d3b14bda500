"""The same file for an engine that runs a cluster: a pure function from a stack to its objects, and to what is lost.

Whatever the file says is either made use of or reported at its place: a translation takes what it knows from a
``ledger.Given``, and the ledger reports the rest.
"""
