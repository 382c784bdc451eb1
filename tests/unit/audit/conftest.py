import sys
from pathlib import Path

# The small ledger that the fault tests change is the one whose verification is tested here.
sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "faults"))
