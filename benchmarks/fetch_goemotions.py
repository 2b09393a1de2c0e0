"""Download GoEmotions from its authors and verify every file: `python -m benchmarks.fetch_goemotions FOLDER`.

GoEmotions (Demszky et al., ACL 2020; CC BY 4.0) is published in google-research/google-research on GitHub. The files
are not part of this repository. A file that already exists and is complete is not downloaded again.
"""

import argparse
import hashlib
import sys
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path

HOME = "https://raw.githubusercontent.com/google-research/google-research/master/goemotions/data"
SHA256: Mapping[str, str] = {
    "train.tsv": "1c254a142be5c00e80d819b9ae1bbd36d94b2eeb8f4b1271846508d57e57d9c5",
    "dev.tsv": "575489c079c9de1097062a01738f998590d6b7ead66dd1c9fd1d2ba01fd8bc62",
}
# In the order of the indices, as in schema/goemotions.pbtxt.
LABELS = [
    "admiration",
    "amusement",
    "anger",
    "annoyance",
    "approval",
    "caring",
    "confusion",
    "curiosity",
    "desire",
    "disappointment",
    "disapproval",
    "disgust",
    "embarrassment",
    "excitement",
    "fear",
    "gratitude",
    "grief",
    "joy",
    "love",
    "nervousness",
    "optimism",
    "pride",
    "realization",
    "relief",
    "remorse",
    "sadness",
    "surprise",
    "neutral",
]


class FetchError(Exception):
    """A file could not be downloaded, or differs from what its authors published."""


def fetch(folder: Path, home: str = HOME, checksums: Mapping[str, str] = SHA256) -> None:
    """Download the files that configs/goemotions.yaml reads into a folder.

    Raises:
        FetchError: A file cannot be downloaded, or has another SHA-256; it is not kept.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name, expected in checksums.items():
        path = folder / name
        if path.is_file() and _sha256(path.read_bytes()) == expected:
            continue
        try:
            with urllib.request.urlopen(f"{home}/{name}", timeout=60) as response:
                content: bytes = response.read()
        except (urllib.error.URLError, TimeoutError) as error:
            raise FetchError(f"{name}: cannot be downloaded ({error}); put it into {folder} yourself") from None
        if (found := _sha256(content)) != expected:
            raise FetchError(f"{name}: SHA-256 is {found}, not {expected}; its home may hold another version")
        _write_whole(path, content)
    names = "\n".join(LABELS).encode()
    if not (folder / "labels.txt").is_file() or (folder / "labels.txt").read_bytes() != names:
        _write_whole(folder / "labels.txt", names)


def _write_whole(path: Path, content: bytes) -> None:
    temporary = path.with_name(f".{path.name}")
    temporary.write_bytes(content)
    temporary.replace(path)


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="folder for the files")
    try:
        fetch(parser.parse_args().folder)
    except FetchError as failure:
        sys.exit(f"error: {failure}")


if __name__ == "__main__":
    main()
