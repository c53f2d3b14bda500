"""systemd of the machine, asked over its bus to keep a container's group as a scope."""
