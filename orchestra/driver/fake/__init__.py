"""A world in memory behind the Driver protocol, for testing everything above a driver.

``World`` outlives drivers, as a machine outlives the processes on it. Time is the event loop's, so trio's autojump
clock makes hours pass in milliseconds. ``Faults`` injects failures, within what the protocol permits.
"""
