"""Packing of this project's code for Beam workers on other machines, so that they run the code that submits to them."""

import io
import os
import sys
import zipfile
from collections.abc import Mapping
from pathlib import Path

from components.common.files import read_bytes, write_whole

_VARIABLE = "BERT_MULTILABEL_CODE"
# The folder that holds the packages: a checkout, or site-packages.
_BASE = Path(__file__).parents[1]
_PACKAGES = ("cli", "components", "pipeline", "runners", "schema", "serving")


def pack_code(target: Path) -> None:
    """Write the project's packages into a zip.

    Args:
        target: The zip; replaced if it exists. Its bytes depend on nothing but the code.
    """
    paths = sorted(path for package in _PACKAGES for path in (_BASE / package).rglob("*"))
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for path in paths:
            if path.is_file() and "__pycache__" not in path.parts:
                # A ZipInfo made by hand has a fixed time.
                entry = zipfile.ZipInfo(path.relative_to(_BASE).as_posix())
                archive.writestr(entry, path.read_bytes(), zipfile.ZIP_DEFLATED)
    target.parent.mkdir(parents=True, exist_ok=True)
    write_whole(str(target), packed.getvalue())


def code_environment(code: Path | None) -> Mapping[str, str]:
    """Return the environment variables that tell a worker where its code is.

    Args:
        code: Zip of `pack_code`; None: the worker runs the project that is installed on its machine.
    """
    return {} if code is None else {_VARIABLE: str(code)}


def use_code(folder: Path) -> None:
    """Unpack the zip that the environment names, if it names one, and import the project from there from now on.

    Args:
        folder: Folder to unpack into.

    Raises:
        SystemExit: There is no such zip.
    """
    code = os.environ.get(_VARIABLE)
    if code is None:
        return
    try:
        content = read_bytes(code)
    except FileNotFoundError:
        sys.exit(f"{code}: no such file; work_dir has to be shared by the workers and the machine that submits to them")
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        archive.extractall(folder)
    sys.path.insert(0, str(folder))
    for name in [name for name in sys.modules if name.split(".")[0] in _PACKAGES]:
        del sys.modules[name]
