"""What a process may do: capabilities, filters of system calls, security labels and keys."""
