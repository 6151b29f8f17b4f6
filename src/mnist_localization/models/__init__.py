"""Two-head models: architectures, layers, losses and metrics.

Importing this package does not import Keras; its modules do, except `provenance`.
"""
