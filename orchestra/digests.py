"""SHA-256 of small texts, without OpenSSL: loading its library takes 4 ms of every command.

The modules are those that ``hashlib`` itself falls back on; an interpreter may be built without them.
"""

from __future__ import annotations

__all__ = ["sha256"]

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hashlib import sha256
else:
    try:
        from _sha2 import sha256
    except ImportError:
        try:
            from _sha256 import sha256  # before Python 3.12
        except ImportError:
            from hashlib import sha256
