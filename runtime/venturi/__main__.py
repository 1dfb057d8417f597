"""Run the command line as ``python -m venturi``."""

import sys

from venturi.cli import main

sys.exit(main())
