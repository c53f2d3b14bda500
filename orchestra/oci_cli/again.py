"""The second start of ``orchestra-runtime`` by ``orchestra.oci_cli.sealed``: executed, never imported."""

import os
import sys

if __name__ == "__main__":
    # Isolated mode leaves the package's directory out of the path. After the standard library it cannot shadow
    # anything.
    sys.path.append(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
    from orchestra.oci_cli.__main__ import main

    sys.exit(main(again=True))
