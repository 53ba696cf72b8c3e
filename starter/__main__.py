"""`python -m starter`."""

import sys

from anclaf.cli.main import quiet_without_reader
from starter.cli import main

sys.exit(quiet_without_reader(main))
