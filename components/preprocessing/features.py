"""Names of the features that leave Transform.

`tf.io.parse_example` reads them with::

    {
        TOKEN_IDS: tf.io.RaggedFeature(tf.int64),  # [n, None]; or a VarLenFeature, as in transformed_feature_spec()
        SEGMENT_IDS: tf.io.RaggedFeature(tf.int64),  # [n, None], only in examples of text pairs
        LABELS: tf.io.FixedLenFeature([n_labels], tf.float32),  # [n, n_labels]
        ID: tf.io.FixedLenFeature([], tf.string),  # [n]
    }
"""

from schema import features as raw

TOKEN_IDS = "token_ids"  # int64 [n, None]: [CLS] ... [SEP], or [CLS] ... [SEP] ... [SEP] for a pair; unpadded
# int64 [n, None], one for each token id: 0 up to and including the first [SEP], 1 after it. Only in examples of text
# pairs: the steps after Transform recognise pairs by this feature.
SEGMENT_IDS = "segment_ids"
# float32 [n, n_labels] of 0, 1, the fractions of soft labels and, where nobody knows, UNKNOWN.
# Its name differs from the raw labels': the Evaluator looks for a slicing feature in
# the transformed features first, and slices by label need the raw strings.
LABELS = "labels_multi_hot"
UNKNOWN = -1.0  # a number that no loss takes for a target by accident
ID = raw.ID  # string [n]: names the rows of a training failure
