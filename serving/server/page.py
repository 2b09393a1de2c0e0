"""Page of the server: a text in; labels as bars with thresholds, and why each, out. Nothing comes from elsewhere."""

import base64
import hashlib
import json
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response

from components.explanation.explanation import SIGNATURE as EXPLAIN_SIGNATURE
from components.explanation.explanation import read_explanations
from components.explanation.segments import segments
from serving.server.errors import invalid
from serving.server.json_tensors import parse_json, string_value
from serving.server.live_model import Served
from serving.server.service import TEXT_SIGNATURE, Origin, Service
from serving.server.signatures import Signature

_FILE = Path(__file__).with_name("page.html")
_ELEMENT = r"<{name}>(.*?)</{name}>"


async def show(service: Service, request: Request, body: bytes, origin: Origin) -> Response:  # noqa: ARG001
    """Return the page."""
    text, policy = _page()
    headers = {"content-security-policy": policy, "x-content-type-options": "nosniff", "cache-control": "no-store"}
    return Response(text, media_type="text/html", headers=headers)


async def describe(service: Service, request: Request, body: bytes, origin: Origin) -> Response:  # noqa: ARG001
    """Return what the page shows of the model that answers."""
    served = service.find(service.name)
    return _json({**_model(served), "name": service.name})


async def classify(service: Service, request: Request, body: bytes, origin: Origin) -> Response:  # noqa: ARG001
    """Return the labels of one text, the most probable first, with their thresholds."""
    served = service.find(service.name)
    content = parse_json(body)
    signature = served.model.signatures[TEXT_SIGNATURE]
    values = _values(content, signature)
    outputs = await service.predict(served, signature, _columns(values), origin)
    header = served.model.header
    rows = zip(header.labels, outputs["probabilities"][0].tolist(), header.thresholds, strict=True)
    labels = [
        {"name": name, "probability": probability, "threshold": threshold, "given": probability > threshold}
        for name, probability, threshold in rows
        if name not in header.retired
    ]
    labels.sort(key=lambda label: -label["probability"])
    return _json({**_model(served), "labels": labels})


async def explain(service: Service, request: Request, body: bytes, origin: Origin) -> Response:  # noqa: ARG001
    """Return how much each word of a text adds to the log odds of one label."""
    served = service.find(service.name)
    content = parse_json(body)
    signature = served.model.signatures.get(EXPLAIN_SIGNATURE)
    if signature is None:
        raise invalid("the model was exported without the signature explain (training.export.explain: true)")
    values = _values(content, signature)
    if values["labels"] not in served.model.header.labels:
        raise invalid(f"the model has no label {values['labels']}")
    outputs = await service.predict(served, signature, _columns(values), origin)
    pairs = [values["text_pairs"]] if "text_pairs" in values else []
    (found,) = read_explanations(outputs, [values["texts"]], pairs, [values["labels"]])
    texts = [segments(found), *([segments(found, second=True)] if pairs else [])]
    shown = [[segment.model_dump() for segment in text] for text in texts]
    return _json({
        "version": served.version.number, "label": found.label, "texts": shown, "complete": found.is_complete,
        "adds": round(sum(word.adds for word in found.words), 3),
    })  # fmt: skip


def _values(content: Mapping[str, object], signature: Signature) -> dict[str, str]:
    """Return the text for each input of a signature."""
    sent = {"texts": content.get("text"), "text_pairs": content.get("text_pair"), "labels": content.get("label")}
    values = {name: value for name in signature.inputs if isinstance(value := sent.get(name), str)}
    if len(values) < len(signature.inputs):
        raise invalid("the model needs: " + ", ".join(sorted(signature.inputs)))
    return values


def _columns(values: Mapping[str, str]) -> dict[str, list[bytes]]:
    return {name: [string_value(value)] for name, value in values.items()}


@cache
def _page() -> tuple[str, str]:
    """Return the page, and the policy that lets a browser run its own script and style and nothing else."""
    text = _FILE.read_text(encoding="utf-8")
    hashes = {}
    for name in ("script", "style"):
        match = re.search(_ELEMENT.format(name=name), text, re.DOTALL)
        assert match is not None
        hashes[name] = f"'sha256-{base64.b64encode(hashlib.sha256(match[1].encode()).digest()).decode()}'"
    return text, (
        f"default-src 'none'; script-src {hashes['script']}; style-src {hashes['style']}; connect-src 'self';"
        " img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )


def _model(served: Served) -> dict[str, object]:
    signatures = served.model.signatures
    return {
        "version": served.version.number,
        "pairs": "text_pairs" in signatures[TEXT_SIGNATURE].inputs,
        "explains": EXPLAIN_SIGNATURE in signatures,
    }


def _json(content: object) -> Response:
    return Response(json.dumps(content, ensure_ascii=False).encode("utf-8", "replace"), media_type="application/json")
