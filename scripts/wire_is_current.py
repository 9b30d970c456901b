"""Fails if the committed wire code is not what proto/ makes: `make lint` runs it."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]


def made(folder: Path) -> list[Path]:
    """Makes all wire code in a folder and returns its files, relative to it."""
    for proto in sorted((ROOT / "proto").rglob("*.proto")):
        service = ["--grpc_python_out=."] if "service " in proto.read_text() else []
        command = [sys.executable, "-m", "grpc_tools.protoc", "-I", str(ROOT / "proto")]
        command += ["--python_out=.", "--pyi_out=.", *service, str(proto)]
        subprocess.run(command, cwd=folder, check=True)
    return sorted(path.relative_to(folder) for path in folder.rglob("*_pb2*"))


def stale() -> list[str]:
    """Returns the names of committed files that differ from what proto/ makes."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        files = made(folder)
        ours = {
            p.relative_to(ROOT) for d in ("psi", "parties") for p in (ROOT / d).rglob("*_pb2*.py*")
        }
        ours = {path for path in ours if "__pycache__" not in path.parts}
        differing = [f for f in files if (folder / f).read_bytes() != (ROOT / f).read_bytes()]
        return [str(path) for path in [*differing, *(ours ^ set(files))]]


if __name__ == "__main__":
    if names := stale():
        sys.exit(f"not what proto/ makes; run `make proto`: {', '.join(names)}")
