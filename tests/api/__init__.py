"""What programs get from ``orchestra.up``."""
