"""Ways to turn an OCI bundle into a running container."""
