"""Names of the features that every tf.Example of this project has."""

ID = "id"  # one string: names the row to a person
TEXT = "text"  # one string: what is classified
TEXT_PAIR = "text_pair"  # one string, only in examples of text pairs: BERT's second sentence
LABELS = "labels"  # 0..n strings from the schema's closed domain
# 0..n strings: labels of which nobody knows whether the row has them. An example without the feature has none, so that
# data in which everything is known has the same examples as if there were no such feature.
UNKNOWN_LABELS = "unknown_labels"
# 0..n strings and as many floats: labels about which annotators disagree, and the share of them that gave each, between
# 0 and 1. From a cut in the configuration on, `labels` has them too.
SOFT_LABELS = "soft_labels"
SOFT_SCORES = "soft_scores"
# Added by ExampleGen. A schema may leave them out: they are added to it when it is imported.
TEXT_LENGTH = "text_length"  # one int64: number of characters of the text and its pair
SPAN = "span"  # one int64, only where inputs come in spans: the span of the row
# One int64, only where a group is configured: hash that the rows of a group have in common; NO_GROUP for a blank one.
GROUP_KEY = "group_key"

FEATURES = (
    ID,
    TEXT,
    TEXT_PAIR,
    LABELS,
    UNKNOWN_LABELS,
    SOFT_LABELS,
    SOFT_SCORES,
    TEXT_LENGTH,
    SPAN,
    GROUP_KEY,
)

NO_GROUP = 0
"""Group key of a row whose group is blank."""
