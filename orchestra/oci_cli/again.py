"""The new beginning of ``orchestra-runtime`` that ``orchestra.oci_cli.sealed`` makes: executed, never imported."""

import os
import sys

if __name__ == "__main__":
    # Isolated mode leaves the package's own place out of the path; behind the standard library it can shadow nothing.
    sys.path.append(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
    from orchestra.oci_cli.__main__ import main

    sys.exit(main(again=True))
