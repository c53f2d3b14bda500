"""Tests of stacks: the plugin of pytest. Only pytest imports it, which is no dependency of this package."""
