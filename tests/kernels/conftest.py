"""Puts tests/, for the references, and this folder, for what its files share, on the path."""

import sys
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parents[1]), str(Path(__file__).parent)]
