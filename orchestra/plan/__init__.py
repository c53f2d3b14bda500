"""The decisions. Pure: everything needed comes in as arguments, time included; nothing here does I/O or sleeps."""
