"""The worlds that containers can live in. They do not know each other; each keeps the contract of ``engine.driver``.

``DRIVERS`` is the registry: the name that ``--driver`` takes, and the module whose ``open_driver(home, stack)`` makes
a driver for one stack.
"""

DRIVERS = {
    "local": "orchestra.driver.local.driver",
    "fake": "orchestra.driver.fake.open",
}
