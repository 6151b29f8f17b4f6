"""Images: safe decoding, letterboxing, the store of a split, and its `tf.data` pipeline."""
