"""`vertex.json` in the PushedModel artifact of VertexPush: where the model is in Vertex AI."""

from typing import ClassVar

from components.common.record import Record


class UploadResult(Record):
    """Result of an upload.

    Attributes:
        model: Resource name of the model, with its version; None if no model was pushed, and so none was uploaded.
        endpoint: Resource name of the endpoint; None if none is configured.
    """

    FILE: ClassVar = "vertex.json"

    model: str | None = None
    endpoint: str | None = None
