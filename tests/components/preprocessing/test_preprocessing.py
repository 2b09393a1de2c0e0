"""Transform's own executor over a few rows: what it writes, and what its graph does elsewhere."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import tensorflow as tf
import tensorflow_transform as tft
from tfx.components.transform import executor as transform
from tfx.dsl.components.base import base_beam_executor
from tfx.types import artifact_utils, standard_artifacts, standard_component_specs

from components.preprocessing import features
from components.preprocessing.preprocessing import multi_hot
from schema import features as raw
from tests.components.preprocessing.conftest import uncased_vocabulary, uncased_vocabulary_path
from tests.components.preprocessing.reference import GoogleTokenizer
from tests.components.preprocessing.texts import HARD

LABELS = ("anger", "joy", "sadness")
ROWS = [
    ("row-1", "Hello there, WORLD…", ["joy", "anger"]),
    ("row-2", "", []),
    ("row-3", "[MASK] İstanbul 你好", ["anger", "anger"]),
    ("row-4", "word " * 200, ["unheard of", "sadness"]),
]
MAX_TOKENS = 16
SCHEMA = """
feature { name: "id" type: BYTES presence { min_fraction: 1 } shape { dim { size: 1 } } }
feature { name: "text" type: BYTES presence { min_fraction: 1 } shape { dim { size: 1 } } }
feature { name: "labels" type: BYTES }
feature { name: "channel" type: BYTES }
"""


def cut_ids(texts: list[str]) -> list[list[int]]:
    reference = GoogleTokenizer(uncased_vocabulary(), lower_case=True)
    whole = [reference.ids(text) for text in texts]
    return [[*row[:-1][: MAX_TOKENS - 1], row[-1]] for row in whole]


# === Transform ===


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `graph` and `examples`, written by Transform's executor."""
    root = tmp_path_factory.mktemp("transform")
    examples, schema = standard_artifacts.Examples(), standard_artifacts.Schema()
    examples.uri, schema.uri = str(root / "raw"), str(root / "schema")
    examples.split_names = artifact_utils.encode_split_names(["train"])
    _write_examples(root / "raw" / "Split-train")
    (root / "schema").mkdir()
    (root / "schema" / "schema.pbtxt").write_text(SCHEMA)
    outputs = {
        standard_component_specs.TRANSFORM_GRAPH_KEY: standard_artifacts.TransformGraph(),
        standard_component_specs.TRANSFORMED_EXAMPLES_KEY: standard_artifacts.Examples(),
    }
    outputs[standard_component_specs.TRANSFORM_GRAPH_KEY].uri = str(root / "graph")
    outputs[standard_component_specs.TRANSFORMED_EXAMPLES_KEY].uri = str(root / "examples")
    settings = {
        "tokenizer": {"vocabulary": str(uncased_vocabulary_path()), "lower_case": True, "max_tokens": MAX_TOKENS},
        "labels": LABELS,
    }
    context = base_beam_executor.BaseBeamExecutor.Context(
        beam_pipeline_args=["--runner=FnApiRunner"], tmp_dir=str(root / "tmp"), unique_id="1"
    )
    transform.Executor(context).Do(
        {
            standard_component_specs.EXAMPLES_KEY: [examples],
            standard_component_specs.SCHEMA_KEY: [schema],
        },
        {key: [artifact] for key, artifact in outputs.items()},
        {
            standard_component_specs.PREPROCESSING_FN_KEY: ("components.preprocessing.preprocessing.preprocessing_fn"),
            standard_component_specs.CUSTOM_CONFIG_KEY: json.dumps({"preprocessing": settings}),
            standard_component_specs.DISABLE_STATISTICS_KEY: 1,
        },
    )
    return root


def _write_examples(folder: Path) -> None:
    folder.mkdir(parents=True)
    with tf.io.TFRecordWriter(str(folder / "rows.gz"), "GZIP") as writer:
        for row in ROWS:
            columns = zip((raw.ID, raw.TEXT, raw.LABELS), ([row[0]], [row[1]], row[2]), strict=True)
            feature = {name: _strings(values) for name, values in columns}
            writer.write(tf.train.Example(features=tf.train.Features(feature=feature)).SerializeToString())


def _strings(values: list[str]) -> tf.train.Feature:
    return tf.train.Feature(bytes_list=tf.train.BytesList(value=[value.encode() for value in values]))


@pytest.fixture(scope="module")
def written(root: Path) -> tf.Tensor:
    files = [str(path) for path in (root / "examples" / "Split-train").iterdir()]
    return next(iter(tf.data.TFRecordDataset(files, "GZIP").batch(len(ROWS) + 1)))


def test_a_transformed_example_holds_unpadded_ids_and_the_multi_hot(written: tf.Tensor) -> None:
    spec = {
        features.TOKEN_IDS: tf.io.RaggedFeature(tf.int64),
        features.LABELS: tf.io.FixedLenFeature([len(LABELS)], tf.float32),
        features.ID: tf.io.FixedLenFeature([], tf.string),
    }
    parsed = tf.io.parse_example(written, spec)
    assert parsed[features.TOKEN_IDS].to_list() == cut_ids([text for _, text, _ in ROWS])
    assert parsed[features.LABELS].numpy().tolist() == [[1, 1, 0], [0, 0, 0], [1, 0, 0], [0, 0, 1]]
    assert parsed[features.ID].numpy().tolist() == [b"row-1", b"row-2", b"row-3", b"row-4"]


def test_transforms_own_specification_reads_the_same(root: Path, written: tf.Tensor) -> None:
    parsed = tf.io.parse_example(written, tft.TFTransformOutput(str(root / "graph")).transformed_feature_spec())
    assert set(parsed) == {features.TOKEN_IDS, features.LABELS, features.ID}
    ragged = tf.RaggedTensor.from_sparse(parsed[features.TOKEN_IDS])
    assert ragged.to_list() == cut_ids([text for _, text, _ in ROWS])


# === The graph elsewhere ===

_SERVE = """
import json, sys
import tensorflow as tf
import tensorflow_text
served = tf.saved_model.load(sys.argv[1]).signatures["serving_default"]
answers = [served(tf.constant([text]))["ids"].numpy()[0].tolist() for text in json.load(sys.stdin)]
assert not {"components", "keras", "tensorflow_transform", "tfx"} & set(sys.modules), "more is needed than promised"
print(json.dumps(answers))
"""


def test_texts_alone_have_the_same_ids_served_by_a_fresh_process(root: Path, tmp_path: Path) -> None:
    module = tf.Module()
    module.layer = layer = tft.TFTransformOutput(str(root / "graph")).transform_features_layer()

    def serve(texts: tf.Tensor) -> dict[str, tf.Tensor]:
        transformed = layer({raw.TEXT: texts[:, tf.newaxis]})
        assert set(transformed) == {features.TOKEN_IDS}
        return {"ids": tf.sparse.to_dense(transformed[features.TOKEN_IDS])}

    signature = tf.function(serve, input_signature=[tf.TensorSpec([None], tf.string)])
    tf.saved_model.save(module, str(tmp_path / "served"), signatures=signature)
    texts = list(HARD.values())
    done = subprocess.run(
        [sys.executable, "-I", "-c", _SERVE, str(tmp_path / "served")],
        input=json.dumps(texts),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == cut_ids(texts)


# === Labels ===


def sparse(rows: list[list[str]]) -> tf.SparseTensor:
    return tf.ragged.constant(rows, tf.string, ragged_rank=1).to_sparse()


def test_columns_follow_the_order_of_the_label_list() -> None:
    rows = sparse([["joy"], ["anger", "joy"], []])
    assert multi_hot(rows, ("joy", "anger")).numpy().tolist() == [[1, 0], [1, 1], [0, 0]]
    assert multi_hot(rows, ("anger", "joy")).numpy().tolist() == [[0, 1], [1, 1], [0, 0]]


def test_repeated_labels_count_once_and_unknown_ones_not_at_all() -> None:
    assert multi_hot(sparse([["joy", "joy", "?"], ["?"]]), ("joy",)).numpy().tolist() == [[1], [0]]


def test_rows_without_any_label_are_zeros() -> None:
    answer = multi_hot(sparse([[], []]), LABELS)
    assert answer.dtype == tf.float32
    assert answer.numpy().tolist() == [[0, 0, 0], [0, 0, 0]]
