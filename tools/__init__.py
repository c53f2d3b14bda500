"""Programs for the people who work on Orchestra; not installed."""
