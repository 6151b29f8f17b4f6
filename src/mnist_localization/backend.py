"""Quiet import of TensorFlow; import this module before Keras or TensorFlow.

TensorFlow's libraries write informational lines to standard error while they are loaded, before
its log level takes effect. This module drops those lines and passes on all others.
"""

import importlib
import os
import re
import sys
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

# Informational lines of the C++ libraries.
_INFORMATIONAL = re.compile(
    r"I\d{4} |WARNING: All log messages before absl|To enable the following|fully_quantize: |INFO: "
)

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
# The label of a dataset with one class is constant, which Keras takes for a mistake.
warnings.filterwarnings("ignore", "You are using a softmax over axis", UserWarning)
# The level for errors includes messages about a missing GPU and about attributes that determinism
# ignores. Errors of operations are Python exceptions at every level.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


@contextmanager
def quiet_libraries() -> Iterator[None]:
    """Drop informational lines that C++ libraries write to standard error."""
    sys.stderr.flush()
    stderr = os.dup(2)
    with tempfile.TemporaryFile() as captured:
        os.dup2(captured.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(stderr, 2)
            os.close(stderr)
            captured.seek(0)
            for line in captured.read().decode(errors="replace").splitlines():
                if line and not _INFORMATIONAL.match(line):
                    sys.stderr.write(f"{line}\n")


if "tensorflow" not in sys.modules:
    with quiet_libraries():
        importlib.import_module("tensorflow")
