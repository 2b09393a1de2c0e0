"""Environment of PyTorch and Hugging Face that benchmarks compare with, apart from the project's own."""

import subprocess
import sys
from pathlib import Path

FOLDER = Path("build/peer")
_PACKAGES = ("torch==2.15.0", "transformers==5.23.0", "numpy==2.4.6", "safetensors==0.8.0")


def peer_python(folder: Path) -> Path:
    """Return the interpreter of the environment, which is installed (some 5.5 GB) if it does not exist."""
    python = folder / "bin" / "python"
    if not python.exists():
        print(f"installing {folder} with {', '.join(_PACKAGES)}", file=sys.stderr)
        uv = str(Path(sys.executable).with_name("uv"))
        # Based on the system's interpreter: this one may run on a libc of its own, which PyTorch does not need.
        subprocess.run([uv, "venv", "--python", "3.11", "--no-project", str(folder)], check=True)
        subprocess.run([uv, "pip", "install", "--python", str(python), *_PACKAGES], check=True)
    return python
