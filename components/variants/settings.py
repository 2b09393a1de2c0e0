"""Settings of the step that makes variants, and checks of what a configuration asks of it. Free of TensorFlow."""

import importlib.util

from components.canary.settings import CanarySettings
from components.common.settings import Settings
from components.evaluation.gates.checks import check_labels
from components.evaluation.gates.gate import Gate
from components.trainer.settings import TrainingSettings
from schema.errors import Refused
from schema.label_list import LabelList

ONNX_VARIANTS = ("onnx", "int8")
_PACKAGES = ("onnx", "onnxruntime", "tokenizers")


class VariantsSettings(Settings):
    """Settings of `Variants`.

    Attributes:
        training: Settings of the training, the variants and their gates among them.
        checkpoint: Source of the checkpoint that the model is fine-tuned from.
        max_tokens: Longest sequence, [CLS] and [SEP] included.
        gates: Gates of the full model that a variant must pass as well.
        canary: Settings of the trial of each variant.
    """

    training: TrainingSettings
    checkpoint: str
    max_tokens: int
    gates: list[Gate]
    canary: CanarySettings


def check_variants(training: TrainingSettings, labels: LabelList, *, truncation: str, is_pair: bool) -> None:
    """Check that the variants of a configuration can be made, without importing what makes them.

    Args:
        training: Section `training` of the configuration.
        labels: Labels of the schema.
        truncation: Which part of a long text is kept.
        is_pair: Whether rows are pairs of texts.

    Raises:
        Refused: A gate is on an unknown label or on a slice, a package is missing, or ONNX's tokenizer cannot do what
            the configuration asks for.
    """
    check_labels(training.export.variant_gates, labels)
    for gate in training.export.variant_gates:
        if gate.slice:
            raise Refused(f"training.export.variant_gates: {gate.text}: variants are not measured by slice")
    asked = [name for name in training.export.variants if name in ONNX_VARIANTS]
    if not asked:
        return
    where = f"training.export.variants: {', '.join(asked)}"
    if missing := [package for package in _PACKAGES if importlib.util.find_spec(package) is None]:
        raise Refused(
            f"{where}: {', '.join(missing)} {'is' if len(missing) == 1 else 'are'} not installed: install the extra"
            " `onnx` ('.[onnx]'), or leave the variant out"
        )
    if is_pair:
        raise Refused(f"{where}: ONNX variants read single texts only, and examples.text_pair is set; leave them out")
    if truncation != "head":
        raise Refused(f"{where}: their tokenizer keeps the head of a long text only; set truncation: head")
