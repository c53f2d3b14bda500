"""Exit codes that are no errors: of commands that a signal ends (128 plus its number), and of ``status``."""

from __future__ import annotations

INTERRUPTED = 130
"""By Ctrl-C."""
BROKEN_PIPE = 141
"""The reader of the output is gone."""
CONVERGED = 0
CONVERGING = 3
"""``status``: not everything is as it should be yet."""
NOT_AS_IT_SHOULD_BE = 4
"""``status``: something has failed, is unhealthy or paused, or no supervisor is running."""
EDIT_REFUSED = 5
"""``status``: the files are followed, and their last edit was not applied."""
DOWN = 6
"""``status``: nothing is asked for."""
