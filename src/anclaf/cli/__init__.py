"""The command line. Imported before torch."""

import os

# Threads that wait by spinning starve each other as soon as anything else runs on the machine: on two cores with one
# other busy process a training step took up to ten times as long. OpenMP reads this when torch is loaded.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
