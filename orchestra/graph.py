"""The dependency graph over names: cycles explained, ranks, reduction. The only user of networkx."""
