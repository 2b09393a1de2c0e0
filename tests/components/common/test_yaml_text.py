"""Tests of YAML that a person wrote."""

import pytest

from components.common.yaml_text import InvalidYamlError, parse_yaml


def test_reads_anchors_and_merge_keys_whose_values_are_replaced() -> None:
    text = "base: &b {x: 1, y: 2}\nmine: {<<: *b, x: 3}\nyours: {<<: *b}\n"
    assert parse_yaml(text) == {"base": {"x": 1, "y": 2}, "mine": {"x": 3, "y": 2}, "yours": {"x": 1, "y": 2}}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1\nb: 2\na: 3\n", "key 'a' twice; remove one in \"<unicode string>\", line 3, column 1"),
        ("a: {b: 1, b: 2}\n", "key 'b' twice"),
        ("? [a, b]\n: 1\n", "a key is not a name"),
        ("a: 2026-13-45\n", "not YAML"),
        ("[" * 5000, "nested too deeply"),
        ("a: [", "not YAML"),
        ("a: \x1b", "not YAML"),
        ("a: &a [*a]\n", "without end"),
        ("a: !!python/object:os.system x\n", "not YAML"),
        (
            "a: &a [x,x,x,x,x,x,x,x,x,x]\n"
            + "".join(f"{b}: &{b} [{','.join([f'*{a}'] * 10)}]\n" for a, b in zip("abcdefgh", "bcdefghi", strict=True)),
            "without end",
        ),
    ],
)
def test_refuses_in_one_line(text: str, message: str) -> None:
    with pytest.raises(InvalidYamlError) as refused:
        parse_yaml(text)
    assert message in str(refused.value)
    assert "\n" not in str(refused.value)
