"""Puts examples/ on the path, whose files import each other as scripts do, and tests/dialogues."""

import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT / "examples"), str(ROOT / "tests" / "dialogues")]
