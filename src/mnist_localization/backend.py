"""Imports TensorFlow without its start-up chatter: import this before Keras or TensorFlow.

TensorFlow's libraries write informational lines to standard error while they are being
loaded, before any of its log levels takes effect. They are held back here; anything else
that is written meanwhile is passed on.
"""

import importlib
import os
import re
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

# Informational lines of the C++ libraries, and those that go with them.
_CHATTER = re.compile(
    r"I\d{4} |WARNING: All log messages before absl|To enable the following|fully_quantize: |INFO: "
)

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
# Even its level for errors speaks of a missing GPU and of attributes that determinism drops.
# Errors of operations are Python exceptions, whatever the level.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


@contextmanager
def without_chatter() -> Iterator[None]:
    """Holds back what TensorFlow's and LiteRT's libraries write to standard error."""
    sys.stderr.flush()
    kept = os.dup(2)
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(kept, 2)
            os.close(kept)
            held.seek(0)
            lines = held.read().decode(errors="replace").splitlines()
            for line in lines:
                if line and not _CHATTER.match(line):
                    sys.stderr.write(f"{line}\n")


if "tensorflow" not in sys.modules:
    with without_chatter():
        importlib.import_module("tensorflow")
