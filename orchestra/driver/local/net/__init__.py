"""Networks of containers: bridges and leases, published ports, name resolution."""
