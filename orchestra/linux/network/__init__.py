"""Links, addresses, rules and network namespaces."""
