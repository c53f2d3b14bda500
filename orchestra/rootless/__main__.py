"""Start of the keeper: ``python -I -S .../orchestra/rootless/__main__.py JSON``, by ``orchestra.rootless.entry``."""

import os
import sys


def main() -> None:
    # Isolated mode leaves the package's directory out of the path.
    sys.path.append(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
    import json

    from orchestra.rootless.keeper import keep

    order = json.loads(sys.argv[1])
    keep(order["directory"], order["stacks"], order["snapshots"], order["uid"], fresh=order["fresh"])


if __name__ == "__main__":
    main()
