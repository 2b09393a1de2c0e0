"""Environment of other libraries that benchmarks compare with, apart from the project's own."""

import subprocess
import sys
from pathlib import Path

FOLDER = Path("build/peer")
_PACKAGES = ("torch==2.15.0", "transformers==5.23.0", "numpy==2.4.6", "safetensors==0.8.0")
# What the Trainer of Transformers needs: `benchmarks.train`.
TRAINING_PACKAGES = ("accelerate==1.15.0",)
# What serves the same weights: `benchmarks.serve`.
SERVING_PACKAGES = (
    "onnx==1.23.2", "onnxscript==0.7.2", "onnxruntime==1.32.0", "openvino==2026.4.1", "nncf==3.4.0", "sympy",
)  # fmt: skip


def peer_python(folder: Path, packages: tuple[str, ...] = ()) -> Path:
    """Return the interpreter of the environment, which is installed (some 5.5 GB) where it lacks anything.

    Args:
        folder: Folder of the environment.
        packages: Packages besides PyTorch and Transformers.
    """
    python, uv = folder / "bin" / "python", str(Path(sys.executable).with_name("uv"))
    if not python.exists():
        # Based on the system's interpreter: this one may run on a libc of its own, which PyTorch does not need.
        subprocess.run([uv, "venv", "--python", "3.11", "--no-project", str(folder)], check=True)
    wanted = [*_PACKAGES, *packages]
    print(f"{folder}: {', '.join(wanted)}", file=sys.stderr)
    subprocess.run([uv, "pip", "install", "--quiet", "--python", str(python), *wanted], check=True)
    return python
