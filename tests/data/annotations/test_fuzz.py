"""Damaged annotation files: no crash, no hang, and no wrong row outside of the damage.

`make fuzz` sets the number of mutations; the test suite tries fewer.
"""

import json
import os
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from mnist_localization.data.annotations.formats import load_format
from mnist_localization.data.annotations.reading import Annotations, read_annotations
from mnist_localization.data.boxes import ANNOTATION_COLUMNS, BOX_COLUMNS
from mnist_localization.errors import AnnotationError
from mnist_localization.evaluation.predictions import prediction_table
from mnist_localization.registry import module_names
from support.settings import image_settings, section

MUTATIONS = int(os.environ.get("MNIST_LOCALIZATION_MUTATIONS", "200"))
NAMES = ("ant", "bee", "cat")
ROWS = 12
FILES = [f"image{number:02d}.png" for number in range(ROWS)]
SNIPPETS = (
    *(b"", b"\0", b"\xff", b'"', b"'", b"{", b"}", b"[", b"]", b"<", b">", b"&", b",", b";", b"\n"),
    *(b"-", b"e9", b"1e999", b"nan", b"null", b"\xef\xbb\xbf", b"../", b"\\", b"\xc3", b"9" * 40),
)
# A damaged byte may change one record, and a quote or a line end its neighbor as well.
TOUCHED = 2
LIMIT_S = 5.0


@pytest.fixture(scope="module")
def images(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("images")
    for file in FILES:
        Image.new("L", (100, 50)).save(folder / file)
    return folder


def valid_files(name: str) -> dict[str, bytes]:
    """Return valid annotations of a format, by file name."""
    random = np.random.default_rng(5)
    starts = random.integers(0, 40, (ROWS, 2))
    boxes = np.hstack([starts, starts + random.integers(3, 9, (ROWS, 2))]) / [100, 50, 100, 50]
    table = pd.DataFrame(boxes, columns=list(BOX_COLUMNS)).assign(file=FILES, label=0)
    labels = [number % 3 for number in range(ROWS)]
    predictions = prediction_table(table, labels, [0.5] * ROWS, boxes, boxes)
    written = load_format(name).write(predictions, NAMES, image_settings(height=50, width=100))
    texts = {file: text for file, text in written.items() if isinstance(text, str)}
    texts = texts or {"document.json": json.dumps(written)}
    return {file: text.encode() for file, text in texts.items()}


def mutate(content: bytes, random: np.random.Generator) -> bytes:
    """Replace, remove, repeat or insert a few bytes at one place, or cut the rest off."""
    start = int(random.integers(0, len(content) + 1))
    end = min(len(content), start + int(random.integers(0, 4)))
    snippet = SNIPPETS[random.integers(0, len(SNIPPETS))]
    return [
        content[:start] + snippet + content[end:],
        content[:start] + content[end:],
        content[:end] + content[start:],
        content[:start],
    ][random.integers(0, 4)]


def differing_rows(found: Annotations, original: Annotations) -> int:
    """Return the number of accepted rows that are not in the original table."""
    known = set(original.table[list(ANNOTATION_COLUMNS)].itertuples(index=False, name=None))
    rows = found.table[list(ANNOTATION_COLUMNS)].itertuples(index=False, name=None)
    return sum(row not in known for row in rows)


@pytest.mark.parametrize("name", module_names("data/annotations/formats"))
def test_damage_never_crashes_a_reader_or_spreads(images, tmp_path, name):
    dataset = section("dataset", class_names=NAMES, annotations={"format": name})
    files = valid_files(name)
    for file, content in files.items():
        (tmp_path / file).write_bytes(content)
    path = tmp_path if len(files) > 1 else tmp_path / next(iter(files))
    original = read_annotations(path, images, images.parent, dataset)
    assert len(original.table) == ROWS
    random = np.random.default_rng(1)
    for number in range(MUTATIONS):
        file = sorted(files)[random.integers(0, len(files))]
        damaged = mutate(files[file], random)
        (tmp_path / file).write_bytes(damaged)
        started = time.monotonic()
        try:
            found = read_annotations(path, images, images.parent, dataset)
        except AnnotationError:
            pass  # one message for the whole file
        else:
            assert differing_rows(found, original) <= TOUCHED, (number, damaged)
        assert time.monotonic() - started < LIMIT_S, (number, damaged)
        (tmp_path / file).write_bytes(files[file])
