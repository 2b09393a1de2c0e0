"""Fetch checkpoints by handle, through KerasHub's download."""

import hashlib
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import keras_hub
import pytest

from components.checkpoints import handle
from components.checkpoints.find import find_checkpoint, is_path, load_backbone
from schema.errors import Refused
from tests.support.checkpoint_formats import write_hugging_face, write_preset
from tests.support.tiny_bert import write_tiny_bert

_REPOSITORY = Path(__file__).parents[3]
_GET_FILE = "keras_hub.src.utils.preset_utils.get_file"
_COMMIT = "0" * 40


class _Hub(BaseHTTPRequestHandler):
    """Fake of Hugging Face's hub that serves single files."""

    def __init__(self, folder: Path, *rest: object) -> None:
        self._folder = folder
        super().__init__(*rest)  # type: ignore[arg-type]

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def do_GET(self) -> None:
        self._answer(body=True)

    def _answer(self, *, body: bool) -> None:
        name = self.path.split("?")[0].removeprefix("/someone/tiny-bert/resolve/main/")
        name = name.removeprefix(f"/someone/tiny-bert/resolve/{_COMMIT}/")
        path = self._folder / name
        found = path.is_file() and not name.startswith("/")
        content = path.read_bytes() if found else b""
        self.send_response(200 if found else 404)
        self.send_header("X-Repo-Commit", _COMMIT)
        if found:
            self.send_header("ETag", f'"{hashlib.sha256(content).hexdigest()}"')
        else:
            self.send_header("X-Error-Code", "EntryNotFound")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if body:
            self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[str]:
    write_hugging_face(tmp_path / "hub", write_tiny_bert(tmp_path / "tiny"), shards=2)
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Hub, tmp_path / "hub"))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


def _find(source: str, **environment: str) -> subprocess.CompletedProcess[str]:
    # In its own process, because Hugging Face's library reads these variables when it is imported.
    program = (
        "import sys\nfrom components.checkpoints.find import find_checkpoint\nfrom schema.errors import Refused\n"
        "try: print(find_checkpoint(sys.argv[1]).fingerprint())\n"
        "except Refused as refusal: sys.exit(f'REFUSED {refusal}')"
    )
    return subprocess.run(
        [sys.executable, "-c", program, source],
        cwd=_REPOSITORY, env=os.environ | environment, capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_fetches_from_the_hugging_face_hub(tmp_path: Path, hub: str) -> None:
    process = _find("hf://someone/tiny-bert", HF_ENDPOINT=hub, HF_HOME=str(tmp_path / "cache"))
    assert process.returncode == 0, process.stderr
    assert process.stdout.split()[-1] == find_checkpoint(str(tmp_path / "hub")).fingerprint()


def test_refuses_in_one_line_without_a_network(tmp_path: Path) -> None:
    process = _find("hf://someone/tiny-bert", HF_HUB_OFFLINE="1", HF_HOME=str(tmp_path))
    (line,) = [line for line in process.stderr.splitlines() if line.startswith("REFUSED")]
    assert "checkpoint hf://someone/tiny-bert: config.json cannot be fetched: " in line
    assert line.endswith("without a network, give the path of a folder")


def _from_folder(folder: Path, requests: list[str]) -> object:
    def get_file(preset: str, name: str) -> str:
        requests.append(f"{preset} {name}")
        if not (folder / name).is_file():
            raise FileNotFoundError(name)
        return str(folder / name)

    return get_file


@pytest.mark.parametrize("source", ["kaggle://someone/bert/keras/tiny", "bert_tiny_en_uncased"])
def test_fetches_keras_presets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str) -> None:
    tiny = write_tiny_bert(tmp_path / "tiny")
    preset = write_preset(tmp_path / "preset", tiny, max_shard_size=1e-5, lowercase=True)
    requests: list[str] = []
    monkeypatch.setattr(_GET_FILE, _from_folder(preset, requests))
    checkpoint = find_checkpoint(source)
    assert (checkpoint.format, checkpoint.source, checkpoint.architecture.positions) == ("preset", source, 64)
    assert load_backbone(checkpoint).num_layers == 2
    assert f"{source} assets/tokenizer/vocabulary.txt" in requests


def test_any_failure_of_a_download_ends_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def get_file(*_: str) -> str:
        raise RuntimeError("403\nForbidden")

    monkeypatch.setattr(_GET_FILE, get_file)
    with pytest.raises(Refused, match=r"config\.json cannot be fetched: 403 Forbidden; without a network"):
        find_checkpoint("kaggle://someone/bert/keras/secret")


def test_refuses_a_handle_without_a_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_GET_FILE, _from_folder(tmp_path, []))
    with pytest.raises(Refused, match=r"no config\.json there"):
        find_checkpoint("hf://someone/nothing")
    shutil.copy(write_tiny_bert(tmp_path / "tiny") / "config.json", tmp_path)
    with pytest.raises(Refused, match=r"no model\.safetensors, vocab\.txt in it"):
        find_checkpoint("hf://someone/half")


def test_refuses_another_model_before_its_weights_are_fetched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "config.json").write_text('{"model_type": "roberta"}')
    (tmp_path / "model.safetensors").write_text("half a gigabyte")
    fetched: list[str] = []
    monkeypatch.setattr(_GET_FILE, _from_folder(tmp_path, fetched))
    with pytest.raises(Refused, match="its tokenizer is byte-level BPE"):
        find_checkpoint("hf://someone/roberta")
    assert fetched == ["hf://someone/roberta config.json"]


def test_built_in_names_are_those_of_kerashub() -> None:
    models = keras_hub.models
    backbones = (models.BertBackbone, models.DistilBertBackbone, models.ElectraBackbone)
    assert handle.built_in_names() == {name for backbone in backbones for name in backbone.presets}


@pytest.mark.parametrize(
    ("source", "path"),
    [("minilm-l6", False), ("hf://a/b", False), ("kaggle://a/b/keras/c", False), ("bert_base_en", False),
     ("./bert_base_en", True), ("bert", True), ("/models/bert", True)],
)  # fmt: skip
def test_names_and_handles_are_not_paths(source: str, path: bool) -> None:
    assert is_path(source) is path
