"""What leaves Transform: the features of a transformed example, by name.

`tf.io.parse_example` reads them with::

    {
        TOKEN_IDS: tf.io.RaggedFeature(tf.int64),  # [n, None]; or a VarLenFeature, as in transformed_feature_spec()
        SEGMENT_IDS: tf.io.RaggedFeature(tf.int64),  # likewise, of pairs only
        LABELS: tf.io.FixedLenFeature([n_labels], tf.float32),  # [n, n_labels]
        ID: tf.io.FixedLenFeature([], tf.string),  # [n]
    }
"""

from schema import features as raw

TOKEN_IDS = "token_ids"  # int64 [n, None]: [CLS] ... [SEP], or [CLS] ... [SEP] ... [SEP] of a pair; unpadded
# int64 [n, None], beside each token id: 0 up to and including the first [SEP], 1 after it. Only where examples are
# pairs: that the transformed feature spec has it is how the steps after Transform know that they are.
SEGMENT_IDS = "segment_ids"
# float32 [n, n_labels] of 0 and 1. Not named as the raw labels are: the Evaluator looks for a slicing feature in the
# transformed ones first, and a slice for each label is cut by the raw strings.
LABELS = "labels_multi_hot"
ID = raw.ID  # string [n]: lets a training failure name its rows
