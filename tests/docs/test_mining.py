"""What the section on mining tells people to type is typed here, and does what it says."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from documents import ROOT, blocks

SECONDS = 120


def test_the_commands_on_mining_run_in_order(tmp_path: Path) -> None:
    (script,) = (block for block in blocks("docs/operations.md", "sh") if "models mine" in block)
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    ran = subprocess.run(
        ["bash", "-eu", "-c", script],
        cwd=tmp_path,
        env={"PATH": path, "HOME": os.environ.get("HOME", "/"), "LANG": "C.UTF-8"},
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    planted = (
        "the loss happened from 00:00 to 06:00; its phone stands with 2 or more persons insured"
    )
    assert ran.stdout.count(planted) == 1
    assert "drafts, which nobody has accepted: mined-hour-phone-" in ran.stdout
    assert "<svg " in (tmp_path / "mined.html").read_text(encoding="utf-8")
