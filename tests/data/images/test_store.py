import numpy as np
import pandas as pd
import pytest
from PIL import Image

from mnist_localization.config import ImageSettings
from mnist_localization.data.images import ImageStore, SplitSpec
from mnist_localization.data.images.store import write_store
from mnist_localization.errors import ImageError

COUNT = 11


@pytest.fixture
def request_(tmp_path):
    folder = tmp_path / "images"
    folder.mkdir()
    for number in range(COUNT):
        pixels = np.full((6, 8), number, dtype=np.uint8)
        pixels[0, number % 8] = 255
        Image.fromarray(pixels).save(folder / f"{number}.png")
    annotations = pd.DataFrame(
        {
            "file": [f"{number}.png" for number in range(COUNT)],
            "label": [number % 3 for number in range(COUNT)],
            "xmin": np.linspace(0, 0.5, COUNT),
            "ymin": 0.1,
            "xmax": np.linspace(0.5, 1, COUNT),
            "ymax": 0.9,
        }
    )
    image = ImageSettings(height=6, width=8, channels=1)
    return SplitSpec("train", "synthetic", "train", annotations, folder, "key", image, 1.0)


def test_the_store_gives_back_pixels_and_annotations(request_, tmp_path):
    write_store(request_, tmp_path / "store")
    store = ImageStore(tmp_path / "store")
    assert len(store) == COUNT
    pixels = store.read([7, 0, 7])
    assert pixels.shape == (3, 6, 8, 1)
    assert pixels.dtype == np.uint8
    expected = np.asarray(Image.open(request_.images / "7.png"))
    np.testing.assert_array_equal(pixels[0, ..., 0], expected)
    np.testing.assert_array_equal(pixels[2], pixels[0])
    pd.testing.assert_frame_equal(store.annotations, request_.annotations)


def test_the_fingerprint_follows_pixels_and_annotations(request_, tmp_path):
    write_store(request_, tmp_path / "a")
    write_store(request_, tmp_path / "b")
    first = ImageStore(tmp_path / "a").meta.fingerprint
    assert first == ImageStore(tmp_path / "b").meta.fingerprint
    Image.fromarray(np.zeros((6, 8), np.uint8)).save(request_.images / "3.png")
    write_store(request_, tmp_path / "c")
    assert first != ImageStore(tmp_path / "c").meta.fingerprint


def test_an_equal_request_is_not_decoded_again_and_another_is(request_, tmp_path):
    write_store(request_, tmp_path / "store")
    (request_.images / "0.png").unlink()
    write_store(request_, tmp_path / "store")
    with pytest.raises(ImageError, match=r"0\.png: the image is missing"):
        write_store(
            SplitSpec(**{**vars(request_), "images_key": "other archive"}), tmp_path / "store"
        )
    assert len(ImageStore(tmp_path / "store")) == COUNT, "a failed save must leave the old store"


@pytest.mark.parametrize("doomed", ["split.json", "annotations.parquet", "images.npy"])
def test_an_incomplete_store_is_not_read(request_, tmp_path, doomed):
    write_store(request_, tmp_path / "store")
    (tmp_path / "store" / doomed).unlink()
    with pytest.raises(ImageError, match="no complete image store"):
        ImageStore(tmp_path / "store")
    write_store(request_, tmp_path / "store")
    assert len(ImageStore(tmp_path / "store")) == COUNT


def test_a_truncated_store_is_not_read(request_, tmp_path):
    write_store(request_, tmp_path / "store")
    images = tmp_path / "store" / "images.npy"
    images.write_bytes(images.read_bytes()[:-1])
    with pytest.raises(ImageError, match="do not fit each other"):
        ImageStore(tmp_path / "store")


def test_one_pass_gives_every_image_once_with_its_own_targets(request_, tmp_path):
    from mnist_localization.data.images.pipeline import batches

    write_store(request_, tmp_path / "store")
    store = ImageStore(tmp_path / "store")
    dataset = batches(store, 4, shuffle=True, seed=1)
    orders = []
    for _ in range(2):
        seen = []
        for images, targets in dataset:
            assert images.shape[1:] == (6, 8, 1)
            numbers = images[:, -1, -1, 0].numpy()
            seen.extend(numbers.tolist())
            np.testing.assert_array_equal(targets["label"].numpy(), numbers % 3)
            np.testing.assert_allclose(targets["bbox"].numpy(), store.input_boxes[numbers])
        assert sorted(seen) == list(range(COUNT))
        orders.append(seen)
    assert orders[0] != orders[1], "each pass draws a new order"


@pytest.mark.parametrize("images", [1, 7, 100, 401, 54_001, 60_000])
@pytest.mark.parametrize("batch_size", [1, 32, 64, 128, 10_000])
def test_an_epoch_is_cut_into_runs_of_nearly_full_batches(images, batch_size):
    from mnist_localization.data.images.pipeline import steps_per_epoch

    steps, together = steps_per_epoch(images, batch_size)
    fewest = -(-images // batch_size)
    assert steps % together == 0
    assert together <= 8
    assert fewest <= steps <= max(fewest, min(images, 1.01 * fewest))


def test_the_batches_of_an_epoch_hold_every_image_once_and_differ_by_one(request_, tmp_path):
    from mnist_localization.data.images.pipeline import endless_batches

    write_store(request_, tmp_path / "store")
    store = ImageStore(tmp_path / "store")
    taken = [
        images.numpy()[:, -1, -1, 0] for images, _ in endless_batches(store, 4, seed=5).take(4)
    ]
    assert sorted(np.concatenate(taken).tolist()) == list(range(COUNT))
    assert {len(numbers) for numbers in taken} == {COUNT // 4, COUNT // 4 + 1}


def test_the_order_of_an_epoch_does_not_depend_on_where_training_began(request_, tmp_path):
    from mnist_localization.data.images.pipeline import endless_batches

    write_store(request_, tmp_path / "store")
    store = ImageStore(tmp_path / "store")

    def order(first_epoch: int, steps: int) -> list[int]:
        taken = endless_batches(store, 3, seed=5, first_epoch=first_epoch).take(steps)
        return [number for images, _ in taken for number in images[:, -1, -1, 0].numpy().tolist()]

    whole = order(0, 9)
    assert order(2, 3) == whole[2 * COUNT :]
    assert sorted(whole[:COUNT]) == sorted(whole[COUNT : 2 * COUNT]) == list(range(COUNT))
    assert whole[:COUNT] != whole[COUNT : 2 * COUNT]
