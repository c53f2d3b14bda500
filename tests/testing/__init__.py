"""What is there for tests of stacks."""
