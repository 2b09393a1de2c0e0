"""The features every tf.Example of this project has, and how the schema describes them."""

ID = "id"  # one string: names the row to a person
TEXT = "text"  # one string: what is classified
LABELS = "labels"  # 0..n strings from the schema's closed domain
