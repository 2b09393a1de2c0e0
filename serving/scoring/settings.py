"""The `scoring` block of the configuration: which rows are scored, and what is written of each."""

from typing import Literal, Self

from pydantic import Field, PositiveInt, model_validator

from components.example_gen.settings import RowsSettings

Column = Literal["text", "labels", "decisions", "probabilities"]
COLUMNS: tuple[Column, ...] = ("text", "labels", "decisions", "probabilities")


class ScoringSettings(RowsSettings):
    """Settings of batch scoring. Inputs are described as in `examples`, without labels and splits."""

    output: str = Field(description="Folder or gs:// address that scores are written to.")
    output_format: Literal["parquet", "jsonl"] = Field(
        default="parquet", description="Format of the scores: Parquet, or a JSON object per line."
    )
    fields: tuple[Column, ...] = Field(
        default=("labels", "probabilities"),
        min_length=1,
        description="What is written of each row beside its id. labels: the labels given, the most probable first;"
        " decisions: true or false per label; probabilities: a number per label; text: the text itself.",
    )
    rows_per_shard: PositiveInt = Field(
        default=10_000, description="Rows of one output file, at most; a killed job loses no more than these."
    )
    batch_size: PositiveInt = Field(
        default=1024, description="Texts of one call of the model; the model divides them further by their length."
    )

    @model_validator(mode="after")
    def _name_fields_once(self) -> Self:
        if len(set(self.fields)) < len(self.fields):
            raise ValueError("fields names the same one twice")
        return self
