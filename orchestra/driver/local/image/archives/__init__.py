"""Images as files: the formats that are read, and the one that is written."""
