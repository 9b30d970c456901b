"""Puts this folder on the path, whose tests share `documents.py`."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
