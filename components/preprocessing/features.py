"""What leaves Transform: the features of a transformed example, by name.

`tf.io.parse_example` reads them with::

    {
        TOKEN_IDS: tf.io.RaggedFeature(tf.int64),  # [n, None]; or a VarLenFeature, as in transformed_feature_spec()
        LABELS: tf.io.FixedLenFeature([n_labels], tf.float32),  # [n, n_labels]
        ID: tf.io.FixedLenFeature([], tf.string),  # [n]
    }
"""

from schema import features as raw

TOKEN_IDS = "token_ids"  # int64 [n, None]: [CLS] ... [SEP], unpadded
# float32 [n, n_labels] of 0 and 1. Not named as the raw labels are: the Evaluator looks for a slicing feature in the
# transformed ones first, and a slice for each label is cut by the raw strings.
LABELS = "labels_multi_hot"
ID = raw.ID  # string [n]: lets a training failure name its rows
