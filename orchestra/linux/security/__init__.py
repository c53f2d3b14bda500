"""What a process may do: capabilities, system call filters, security labels and keys."""
