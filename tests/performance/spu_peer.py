"""The peer spu: installed into an environment of its own, since it is no part of the project."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

SPU = "spu==0.9.5"
PYTHONS = ((3, 11), (3, 10))
"""For which this release of spu has wheels."""


def default_environment() -> Path:
    """Returns a folder under the user's cache."""
    caches = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(caches) / "greenlane" / SPU.replace("==", "-")


def python_with_spu(environment: Path) -> Path:
    """Returns the interpreter of an environment with spu, which is made if it is not there."""
    python = environment.absolute() / "bin" / "python"
    if not has_spu(python):
        maker = fitting_python()
        print(f"installing {SPU} into {environment}", file=sys.stderr)
        made = subprocess.run([maker, "-m", "venv", str(environment)], check=False)
        pip = [str(python), "-m", "pip", "install", "--quiet", SPU]
        if made.returncode or subprocess.run(pip, check=False).returncode:
            raise SystemExit(f"{SPU} could not be installed into {environment}; see above")
        if not has_spu(python):
            raise SystemExit(f"{environment}: {SPU} is installed and cannot be imported")
    return python


def has_spu(python: Path) -> bool:
    """Whether an interpreter is there and has this release of spu."""
    look = (
        "import spu.psi; from importlib.metadata import version; "
        f"raise SystemExit(version('spu') != {SPU.rpartition('=')[2]!r})"
    )
    return python.exists() and succeeds([str(python), "-c", look])


def fitting_python() -> str:
    """Returns an interpreter that spu has wheels for."""
    names = (sys.executable, *(f"python{major}.{minor}" for major, minor in PYTHONS))
    look = f"import sys, venv; raise SystemExit(sys.version_info[:2] not in {PYTHONS})"
    for name in names:
        path = shutil.which(name)
        if path is not None and succeeds([path, "-c", look]):
            return path
    known = " or ".join(f"{major}.{minor}" for major, minor in PYTHONS)
    raise SystemExit(
        f"{SPU} needs Python {known}, and neither is in PATH; install one, or name a folder with "
        "an environment that has spu by --environment"
    )


def succeeds(command: Sequence[str]) -> bool:
    """Whether a program ends well; what it prints is dropped."""
    return subprocess.run(command, capture_output=True, check=False).returncode == 0
