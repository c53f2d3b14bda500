"""Following the files of a stack: the process behind ``up --follow``. The supervisor keeps it."""
