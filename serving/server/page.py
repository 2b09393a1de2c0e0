"""Page of the server: a text in, labels as bars with their thresholds out. Nothing on it comes from elsewhere."""

import base64
import hashlib
import json
import re
from functools import cache
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response

from serving.server.errors import invalid
from serving.server.json_tensors import parse_json, string_value
from serving.server.live_model import Served
from serving.server.service import TEXT_SIGNATURE, Origin, Service

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
    values = {"texts": content.get("text"), "text_pairs": content.get("text_pair")}
    if any(not isinstance(values.get(name), str) for name in signature.inputs):
        raise invalid("the model needs: " + ", ".join(sorted(signature.inputs)))
    columns = {name: [string_value(values[name])] for name in signature.inputs}
    outputs = await service.predict(served, signature, columns, origin)
    header = served.model.header
    rows = zip(header.labels, outputs["probabilities"][0].tolist(), header.thresholds, strict=True)
    labels = [
        {"name": name, "probability": probability, "threshold": threshold, "given": probability > threshold}
        for name, probability, threshold in rows
        if name not in header.retired
    ]
    labels.sort(key=lambda label: -label["probability"])
    return _json({**_model(served), "labels": labels})


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
    return {"version": served.version.number, "pairs": "text_pairs" in served.model.signatures[TEXT_SIGNATURE].inputs}


def _json(content: object) -> Response:
    return Response(json.dumps(content, ensure_ascii=False).encode("utf-8", "replace"), media_type="application/json")
