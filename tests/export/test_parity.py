"""How a model's answers are held against another's."""

import tracemalloc

import numpy as np
import pytest

from mnist_localization.data.boxes import paired_iou
from mnist_localization.errors import ModelError
from mnist_localization.export.parity import compare_outputs


class Images:
    """Images whose first pixel tells their row; the box is the left half of the image."""

    shape = (20, 10, 1)

    def __init__(self, count):
        self.labels = np.arange(count) % 3
        self.input_boxes = np.tile(np.float32([0.0, 0.0, 0.5, 1.0]), (count, 1))

    def __len__(self):
        return len(self.labels)

    def read(self, indices):
        images = np.zeros((len(indices), *self.shape), np.uint8)
        images[:, 0, 0, 0] = indices
        return images


def model(label, bbox):
    """A model that looks its answers up by the row."""

    def predict(images):
        rows = images[:, 0, 0, 0]
        return {"label": label[rows], "bbox": bbox[rows]}

    return predict


@pytest.fixture
def labels_and_boxes():
    random = np.random.default_rng(3)
    label = random.dirichlet(np.ones(3), 50)
    low = random.uniform(0, 0.4, (50, 2))
    return label, np.hstack([low, low + random.uniform(0.1, 0.5, (50, 2))])


@pytest.mark.parametrize("batch_size", [1, 7, 50, 64])
def test_the_batch_does_not_matter(labels_and_boxes, batch_size):
    label, bbox = labels_and_boxes
    images, rows = Images(50), np.arange(0, 50, 2)
    other_label, other_bbox = label[::-1], bbox + np.array([0, 0, 0.01, 0])
    other_bbox[4, 3] -= 0.2  # of 20 rows: 4 pixels
    found = compare_outputs(
        model(label, bbox), model(other_label, other_bbox), images, rows, batch_size, "x"
    )
    assert found.probability == np.abs(label - other_label)[rows].max()
    assert found.box_pixels == pytest.approx(4.0)
    assert found.label_accuracy == (label.argmax(1) == images.labels)[rows].mean()
    assert found.mean_iou == pytest.approx(paired_iou(images.input_boxes, bbox)[rows].mean())


def test_a_model_is_not_apart_from_itself_and_is_asked_once(labels_and_boxes):
    asked = []

    def predict(images):
        asked.append(len(images))
        return model(*labels_and_boxes)(images)

    found = compare_outputs(predict, predict, Images(50), np.arange(50), 20, "x")
    assert (found.probability, found.box_pixels) == (0, 0)
    assert asked == [20, 20, 10]


def test_an_answer_that_is_not_finite_names_the_format(labels_and_boxes):
    label, bbox = labels_and_boxes
    broken = bbox.copy()
    broken[40, 1] = np.nan
    with pytest.raises(ModelError, match="litert: the model gives values that are not finite"):
        compare_outputs(
            model(label, broken), model(label, bbox), Images(50), np.arange(50), 8, "litert"
        )


def test_memory_does_not_grow_with_images_times_classes():
    classes, count = 20_000, 64

    def predict(images):
        label = np.full((len(images), classes), 1 / classes, np.float32)
        return {"label": label, "bbox": np.tile([0.0, 0.0, 0.5, 1.0], (len(images), 1))}

    def other(images):
        return predict(images)

    tracemalloc.start()
    try:
        compare_outputs(predict, other, Images(count), np.arange(count), 2, "x")
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < count * classes * 4 / 2  # half of one model's probabilities in 32 bits
