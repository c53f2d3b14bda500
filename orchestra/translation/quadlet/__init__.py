"""A stack as files for Podman's systemd generator (Quadlet): a unit for each container, network and volume.

The format is in podman-systemd.unit(5); what this writes is understood by version 5.3 and newer.
"""
