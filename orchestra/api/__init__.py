"""Stacks for Python programs: ``orchestra.up``. A face like the command line, above the use cases in ``stacks``."""
