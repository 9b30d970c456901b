"""Puts examples, this folder and tests/dialogues on the path: scripts import each other by name."""

import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT / each) for each in ("examples", "tests/dialogues", "tests/study")]
