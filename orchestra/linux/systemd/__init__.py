"""The machine's systemd, which keeps a container's group as a scope on request over its bus."""
