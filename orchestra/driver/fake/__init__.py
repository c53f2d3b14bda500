"""A world in memory: keeps the Driver contract with faults and delays on demand, for testing the engine and stacks."""
