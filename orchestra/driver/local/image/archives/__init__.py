"""Images as files: the forms they come in, and the one they leave in."""
