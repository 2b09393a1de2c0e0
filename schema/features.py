"""The features every tf.Example of this project has, and how the schema describes them."""

ID = "id"  # one string: names the row to a person
TEXT = "text"  # one string: what is classified
TEXT_PAIR = "text_pair"  # one string, in examples of pairs only: BERT's second sentence
LABELS = "labels"  # 0..n strings from the schema's closed domain
# What ExampleGen adds. A schema need not have them: they are put in when it is imported.
TEXT_LENGTH = "text_length"  # one int64: characters of the text, and of its pair
SPAN = "span"  # one int64, where inputs come in spans: the span the row is from

FEATURES = (ID, TEXT, TEXT_PAIR, LABELS, TEXT_LENGTH, SPAN)
