"""Explanation of a pushed model's predictions, with nothing but TensorFlow."""

from collections.abc import Sequence

from cli.prediction import TextPrediction, check_numbers, load, predict_loaded, quiet_tensorflow
from components.explanation.explanation import SIGNATURE, Explanation, explain
from components.registry import ModelRecord, find_model
from schema.errors import Refused
from schema.nearest import nearest


def explain_texts(
    model: str, texts: Sequence[str], pairs: Sequence[str] = (), labels: Sequence[str] = ()
) -> list[tuple[Explanation, TextPrediction]]:
    """Explain labels of texts with a model's signature `explain`.

    Args:
        model: A version's directory, or a registry, which stands for its newest version; a path or a gs:// address.
        texts: At least one text.
        pairs: The second text of each, if the model was trained on pairs; otherwise empty.
        labels: Labels to explain; empty for those given to each text, or its most probable one.

    Returns:
        Explanation and prediction of each text and label, in order.

    Raises:
        Refused: There is no model, it was exported without the signature, or texts, pairs or labels do not fit it.
    """
    check_numbers(texts, pairs)
    directory = find_model(model)
    record = ModelRecord.read(directory)
    known = [label for label in record.labels if label not in record.retired]
    for label in labels:
        if label not in known:
            raise Refused(f"--label {label}: the model has no such label; {nearest(label, known)}")
    with quiet_tensorflow():
        loaded = load(directory)
        if SIGNATURE not in loaded.signatures:
            raise Refused(
                f"{directory}: was exported without the signature explain; set training.export.explain: true and run"
                " again"
            )
        predictions = predict_loaded(directory, record, loaded, texts, pairs)
        chosen = [
            (number, label)
            for number, prediction in enumerate(predictions)
            for label in labels
            or [each.name for each in prediction.labels if each.given]
            or [prediction.labels[0].name]
        ]
        explanations = explain(
            loaded.signatures[SIGNATURE],
            [texts[number] for number, _ in chosen],
            [pairs[number] for number, _ in chosen] if pairs else (),
            [label for _, label in chosen],
        )
    return [(each, predictions[number]) for each, (number, _) in zip(explanations, chosen, strict=True)]
