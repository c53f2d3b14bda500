"""The dashboard in the terminal. A face: it shows what the use cases in ``stacks`` tell, and calls them for keys."""
