"""A stack as a stack file of Docker's Swarm: what ``docker stack deploy`` takes, version 3.13 of the older format.

The command refuses attributes that it does not know, and leaves out others with a warning or without: those are not in
the result, and are told as lost.
"""
