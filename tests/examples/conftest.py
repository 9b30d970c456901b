"""Puts examples/ on the path, whose files import each other as scripts do, and this folder."""

import sys
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parents[2] / "examples"), str(Path(__file__).parent)]
