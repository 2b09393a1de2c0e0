"""Read case, accents and special tokens of a checkpoint, without TensorFlow."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from components.checkpoints.find import BUNDLED, find_checkpoint
from components.checkpoints.tokenization import is_cased, read_tokenization
from components.checkpoints.vocabulary import SpecialTokens, read_vocabulary

_SPECIAL = ["[PAD]", "[unused1]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
_REPOSITORY = Path(__file__).parents[3]


def write_files(folder: Path, tokens: list[str], **files: Any) -> Path:
    vocabulary = folder / "vocab.txt"
    vocabulary.write_text("\n".join([*_SPECIAL, *tokens]) + "\n", encoding="utf-8")
    for name, content in files.items():
        (folder / f"{name}.json").write_text(json.dumps(content))
    return vocabulary


@pytest.mark.parametrize(
    ("tokens", "cased"),
    [
        (["the", "##ing", "ß", "ı"], False),
        (["the", "The", "##ING"], True),
        # As in Chinese BERT's vocabulary.
        (["<S>", "<T>", "的", "##的", "你", "abc"], False),
        (["The", "der", "Москва", "москва", "京"], True),
        # Letters without a lower case, and a stray capital among hundreds.
        (["ℝ", "##ℝ", *(f"{letter}{other}" for letter in "abcdefghij" for other in "abcdefghijk"), "A"], False),
    ],
    ids=["uncased", "cased", "chinese", "multilingual", "stray"],
)
def test_derives_the_case_from_the_vocabulary(tmp_path: Path, tokens: list[str], cased: bool) -> None:
    tokenization = read_tokenization(tmp_path, write_files(tmp_path, tokens))
    assert tokenization.lower_case is not cased
    assert tokenization.strip_accents is None, "BERT's rule: strip accents if lower-casing"


def test_the_bundled_vocabulary_is_uncased() -> None:
    assert not is_cased(read_vocabulary(str(find_checkpoint(BUNDLED).vocabulary)))


_NORMALIZER = {"type": "BertNormalizer", "lowercase": False, "strip_accents": False, "handle_chinese_chars": True}


@pytest.mark.parametrize(
    ("files", "lower_case", "strip_accents"),
    [
        ({"tokenizer_config": {"do_lower_case": False}}, False, None),
        ({"tokenizer_config": {"do_lower_case": True, "strip_accents": False}}, True, False),
        ({"tokenizer": {"normalizer": _NORMALIZER}}, False, False),
        ({"tokenizer_config": {"do_lower_case": True, "strip_accents": None}, "tokenizer": {"normalizer": _NORMALIZER}},
         True, None),
        ({"tokenizer_config": {}}, True, None),
    ],
)  # fmt: skip
def test_the_configuration_of_the_tokenizer_overrides_the_vocabulary(
    tmp_path: Path, files: dict[str, Any], lower_case: bool, strip_accents: bool | None
) -> None:
    tokenization = read_tokenization(tmp_path, write_files(tmp_path, ["the"], **files))
    assert (tokenization.lower_case, tokenization.strip_accents) == (lower_case, strip_accents)


def test_reads_special_tokens_of_other_names(tmp_path: Path) -> None:
    config = {"cls_token": "<s>", "sep_token": {"content": "</s>", "special": True}, "pad_token": "<pad>"}
    vocabulary = write_files(
        tmp_path, ["<s>", "</s>", "<unk>", "<pad>"], tokenizer_config=config, special_tokens_map={"unk_token": "<unk>"}
    )
    assert read_tokenization(tmp_path, vocabulary).special_tokens == SpecialTokens("<pad>", "<unk>", "<s>", "</s>")


def test_tokenizes_with_special_tokens_of_other_names(tmp_path: Path) -> None:
    import tensorflow as tf

    from components.preprocessing.tokenizer import BertTokenizer

    vocabulary = read_vocabulary(str(write_files(tmp_path, ["<s>", "</s>", "<unk>", "the"])))
    tokenizer = BertTokenizer(
        vocabulary, lower_case=True, special_tokens=SpecialTokens("[PAD]", "<unk>", "<s>", "</s>")
    )
    ids = tokenizer(tf.constant(["the xyz", "[CLS]"])).to_list()
    assert [[vocabulary[token_id] for token_id in row] for row in ids] == [
        ["<s>", "the", "<unk>", "</s>"],
        ["<s>", "<unk>", "<unk>", "<unk>", "</s>"],
    ]


def test_finding_a_local_checkpoint_needs_no_tensorflow(tmp_path: Path) -> None:
    from tests.support.tiny_bert import write_tiny_bert

    program = (
        "import sys; from components.checkpoints.find import *; "
        "check_vocabulary(find_checkpoint(sys.argv[1])); "
        "sys.exit(', '.join({'tensorflow', 'keras', 'keras_hub', 'h5py'} & set(sys.modules)) or None)"
    )
    folder = write_tiny_bert(tmp_path)
    subprocess.run([sys.executable, "-c", program, str(folder)], cwd=_REPOSITORY, check=True)
