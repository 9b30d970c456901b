"""Puts tests/ on the path, so that a test can import the references."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
