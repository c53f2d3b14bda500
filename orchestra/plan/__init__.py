"""The decisions. Pure: all input, including the time, is passed as arguments; nothing here does I/O or sleeps."""
