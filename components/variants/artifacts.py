"""The artifact type of variants."""

from tfx.types.artifact import Artifact


class ModelVariants(Artifact):  # type: ignore[misc]
    """Variants of a model: `variants.json`, a `components.variants.results.VariantResults`, and a folder for each."""

    TYPE_NAME = "components.ModelVariants"
