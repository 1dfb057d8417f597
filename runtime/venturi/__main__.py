"""Run the command line as ``python -m venturi``."""

import sys

from venturi._cli.main import main

sys.exit(main())
