"""This project's own code on its way to Beam's workers elsewhere: they run the very code that submits to them."""

import io
import os
import sys
import zipfile
from collections.abc import Mapping
from pathlib import Path

from components.common.files import read_bytes, write_whole

_VARIABLE = "BERT_MULTILABEL_CODE"
_ROOT = Path(__file__).parents[1]
_PACKAGES = ("cli", "components", "pipeline", "runners", "schema")


def pack_code(target: Path) -> None:
    """Packs the project's packages.

    Args:
        target: A zip, whose bytes depend on nothing but the code; replaced if it is there.
    """
    paths = sorted(path for package in _PACKAGES for path in (_ROOT / package).rglob("*"))
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for path in paths:
            if path.is_file() and "__pycache__" not in path.parts:
                name = zipfile.ZipInfo(path.relative_to(_ROOT).as_posix())
                archive.writestr(name, path.read_bytes(), zipfile.ZIP_DEFLATED)
    target.parent.mkdir(parents=True, exist_ok=True)
    write_whole(str(target), packed.getvalue())


def environment_of(code: Path | None) -> Mapping[str, str]:
    """What tells a worker where its code is; None: it is to run what is installed where it runs."""
    return {} if code is None else {_VARIABLE: str(code)}


def use_code(folder: Path) -> None:
    """Unpacks the code that the environment names into a folder, and has this process import from there.

    Raises:
        SystemExit: It is not there.
    """
    code = os.environ.get(_VARIABLE)
    if code is None:
        return
    try:
        content = read_bytes(code)
    except FileNotFoundError:
        sys.exit(
            f"{code}: not there; work_dir has to be in a place that the workers share with whoever submits to them"
        )
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        archive.extractall(folder)
    sys.path.insert(0, str(folder))
    for name in [name for name in sys.modules if name.split(".")[0] in _PACKAGES]:
        del sys.modules[name]
