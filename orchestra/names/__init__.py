"""The resolver of a stack: a small process of its own that answers the containers' questions for names.

``message``, ``zone``, ``answer``, ``cache`` and ``shares`` are pure. ``files`` reads what stacks publish and hears of
changes; ``forwarder`` asks other name servers; ``client`` and ``stream`` serve one container; ``resolver`` is the
process. It keeps answering while the supervisor, or the fork server that forked it, is replaced.
"""
