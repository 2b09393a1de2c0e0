"""Names of the features that every tf.Example of this project has."""

ID = "id"  # one string: names the row to a person
TEXT = "text"  # one string: what is classified
TEXT_PAIR = "text_pair"  # one string, only in examples of text pairs: BERT's second sentence
LABELS = "labels"  # 0..n strings from the schema's closed domain
# Added by ExampleGen. A schema may leave them out: they are added to it when it is imported.
TEXT_LENGTH = "text_length"  # one int64: number of characters of the text and its pair
SPAN = "span"  # one int64, only where inputs come in spans: the span of the row
# One int64, only where a group is configured: hash that the rows of a group have in common; NO_GROUP for a blank one.
GROUP_KEY = "group_key"

FEATURES = (ID, TEXT, TEXT_PAIR, LABELS, TEXT_LENGTH, SPAN, GROUP_KEY)

NO_GROUP = 0
"""Group key of a row whose group is blank."""
