"""Images: references and their transports, content by digest, layers unpacked into directories that overlayfs stacks.

Knows files and nothing of stacks, containers or time. Synchronous: the driver calls it in threads. Errors that a
caller sees are ``FatalError`` and ``TemporaryError``.
"""
