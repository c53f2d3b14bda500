"""From an OCI bundle to a running container."""
