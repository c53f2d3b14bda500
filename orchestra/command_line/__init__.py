"""Reading command lines by a table of options, alike for both programs. Standard library only."""
