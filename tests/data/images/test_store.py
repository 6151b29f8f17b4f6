import os
import shutil
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from mnist_localization.data.images import store_writer
from mnist_localization.data.images.decode import read_image
from mnist_localization.data.images.store import ANNOTATIONS, ImageStore
from mnist_localization.data.images.store_writer import SplitSpec, decode_split, write_store
from mnist_localization.datasets import ImageSplitDataset
from mnist_localization.errors import ImageError
from support.settings import image_settings

COUNT = 11


@pytest.fixture
def spec(tmp_path):
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
    image = image_settings(height=6, width=8, channels=1)
    return SplitSpec("train", "synthetic", "train", annotations, folder, "key", image, 1.0)


def test_a_store_returns_the_pixels_and_annotations_it_was_made_from(spec, tmp_path):
    write_store(spec, tmp_path / "store")
    store = ImageStore(tmp_path / "store")
    assert len(store) == COUNT
    pixels = store.read([7, 0, 7])
    assert pixels.shape == (3, 6, 8, 1)
    assert pixels.dtype == np.uint8
    expected = np.asarray(Image.open(spec.images / "7.png"))
    np.testing.assert_array_equal(pixels[0, ..., 0], expected)
    np.testing.assert_array_equal(pixels[2], pixels[0])
    pd.testing.assert_frame_equal(store.annotations, spec.annotations)


@pytest.mark.parametrize("rows", [[], [3], [5, 0, 3, 2]])
def test_single_rows_of_the_annotations_are_read_in_the_given_order(
    spec, tmp_path, rows, monkeypatch
):
    monkeypatch.setattr(store_writer, "_ROWS", 2)
    write_store(spec, tmp_path / "store")
    store = ImageStore(tmp_path / "store")
    pd.testing.assert_frame_equal(store.read_annotations(rows), store.annotations.iloc[rows])


def test_the_fingerprint_depends_on_the_pixels(spec, tmp_path):
    write_store(spec, tmp_path / "a")
    write_store(spec, tmp_path / "b")
    first = ImageStore(tmp_path / "a").meta.fingerprint
    assert first == ImageStore(tmp_path / "b").meta.fingerprint
    Image.fromarray(np.zeros((6, 8), np.uint8)).save(spec.images / "3.png")
    write_store(spec, tmp_path / "c")
    assert first != ImageStore(tmp_path / "c").meta.fingerprint


def decode_and_save(spec, stores):
    dataset = ImageSplitDataset(path=str(stores / "train_split"))
    dataset.save(decode_split(spec, stores))
    return ImageStore(stores / "train_split")


def test_saving_moves_the_decoded_split_into_place(spec, tmp_path):
    decoded = decode_split(spec, tmp_path)
    assert not (tmp_path / "train_split").exists()
    ImageSplitDataset(path=str(tmp_path / "train_split")).save(decoded)
    assert len(ImageStore(tmp_path / "train_split")) == COUNT
    assert not decoded.folder.exists()


def test_a_split_is_decoded_again_only_if_its_spec_changed(spec, tmp_path):
    decode_and_save(spec, tmp_path)
    (spec.images / "0.png").unlink()
    assert len(decode_and_save(spec, tmp_path)) == COUNT
    with pytest.raises(ImageError, match=r"0\.png: the image is missing"):
        decode_and_save(replace(spec, images_key="other archive"), tmp_path)
    store = ImageStore(tmp_path / "train_split")
    assert len(store) == COUNT, "a failed decoding must leave the old store"
    fewer = replace(spec, annotations=spec.annotations.iloc[1:])
    assert len(decode_and_save(fewer, tmp_path)) == COUNT - 1


def test_a_decoded_split_that_was_not_saved_is_used_by_the_next_run(spec, tmp_path):
    decode_split(spec, tmp_path)
    (spec.images / "0.png").unlink()
    assert len(decode_and_save(spec, tmp_path)) == COUNT


@pytest.mark.parametrize("file", ["split.json", "annotations.parquet", "*.npy"])
def test_an_incomplete_store_is_rejected_and_decoded_again(spec, tmp_path, file):
    decode_and_save(spec, tmp_path)
    next((tmp_path / "train_split").glob(file)).unlink()
    with pytest.raises(ImageError, match="not a complete image store"):
        ImageStore(tmp_path / "train_split")
    assert len(decode_and_save(spec, tmp_path)) == COUNT


@pytest.mark.parametrize("file", ["split.json", "annotations.parquet", "*.npy"])
def test_an_interrupted_decoding_is_started_again(spec, tmp_path, file):
    next(decode_split(spec, tmp_path).folder.glob(file)).write_bytes(b"")
    assert len(decode_and_save(spec, tmp_path)) == COUNT


def test_a_truncated_store_is_rejected(spec, tmp_path):
    write_store(spec, tmp_path / "store")
    images = next((tmp_path / "store").glob("*.npy"))
    images.write_bytes(images.read_bytes()[:-1])
    with pytest.raises(ImageError, match="do not match"):
        ImageStore(tmp_path / "store")


def test_one_pass_yields_each_image_once_with_its_targets(spec, tmp_path):
    from mnist_localization.data.images.pipeline import batches

    write_store(spec, tmp_path / "store")
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
def test_steps_per_epoch_allow_several_steps_per_execution(images, batch_size):
    from mnist_localization.data.images.pipeline import steps_per_epoch

    steps, together = steps_per_epoch(images, batch_size)
    fewest = -(-images // batch_size)
    assert steps % together == 0
    assert together <= 8
    assert fewest <= steps <= max(fewest, min(images, 1.01 * fewest))


def test_an_epoch_holds_each_image_once_in_batches_of_nearly_equal_size(spec, tmp_path):
    from mnist_localization.data.images.pipeline import endless_batches

    write_store(spec, tmp_path / "store")
    store = ImageStore(tmp_path / "store")
    taken = [
        images.numpy()[:, -1, -1, 0] for images, _ in endless_batches(store, 4, seed=5).take(4)
    ]
    assert sorted(np.concatenate(taken).tolist()) == list(range(COUNT))
    assert {len(numbers) for numbers in taken} == {COUNT // 4, COUNT // 4 + 1}


def test_the_order_of_an_epoch_does_not_depend_on_the_first_epoch(spec, tmp_path):
    from mnist_localization.data.images.pipeline import endless_batches

    write_store(spec, tmp_path / "store")
    store = ImageStore(tmp_path / "store")

    def order(first_epoch: int, steps: int) -> list[int]:
        taken = endless_batches(store, 3, seed=5, first_epoch=first_epoch).take(steps)
        return [number for images, _ in taken for number in images[:, -1, -1, 0].numpy().tolist()]

    whole = order(0, 9)
    assert order(2, 3) == whole[2 * COUNT :]
    assert sorted(whole[:COUNT]) == sorted(whole[COUNT : 2 * COUNT]) == list(range(COUNT))
    assert whole[:COUNT] != whole[COUNT : 2 * COUNT]


def break_images(spec, *numbers):
    for number in numbers:
        (spec.images / f"{number}.png").write_bytes(b"no image")


def test_a_damaged_table_is_an_error_that_names_it(spec, tmp_path):
    write_store(spec, tmp_path / "store")
    path = tmp_path / "store" / ANNOTATIONS
    content = bytearray(path.read_bytes())
    content[4:60] = b"\xff" * 56
    path.write_bytes(content)
    with pytest.raises(ImageError, match=r"annotations\.parquet: damaged"):
        _ = ImageStore(tmp_path / "store").annotations


def test_all_images_that_cannot_be_used_are_listed_at_once(spec, tmp_path):
    break_images(spec, 0, 7, COUNT - 1)
    with pytest.raises(ImageError, match=rf"3 of {COUNT} images of the train split") as raised:
        write_store(spec, tmp_path / "store")
    assert all(f"{number}.png: not an image" in str(raised.value) for number in (0, 7, COUNT - 1))
    assert "split.on_bad_images=drop" in str(raised.value)


def test_images_that_cannot_be_used_can_be_left_out(spec, tmp_path, caplog):
    break_images(spec, 0, 7, COUNT - 1)
    write_store(replace(spec, drops_bad_images=True), tmp_path / "store")
    store = ImageStore(tmp_path / "store")
    kept = [number for number in range(COUNT) if number not in (0, 7, COUNT - 1)]
    assert store.annotations["file"].tolist() == [f"{number}.png" for number in kept]
    expected = np.stack([np.asarray(Image.open(spec.images / f"{number}.png")) for number in kept])
    np.testing.assert_array_equal(store.read(range(len(kept)))[..., 0], expected)
    assert "Left out 3 images of train" in caplog.text


def test_a_split_without_a_usable_image_is_an_error(spec, tmp_path):
    break_images(spec, *range(COUNT))
    with pytest.raises(ImageError, match=rf"{COUNT} of {COUNT} images"):
        write_store(replace(spec, drops_bad_images=True), tmp_path / "store")


# Rows of one shard in the tests below.
SHARD_ROWS = 4


def with_shards(spec):
    return replace(spec, shard_mb=SHARD_ROWS * 6 * 8 / 2**20)


def assert_equal_stores(found, expected):
    one, other = ImageStore(found), ImageStore(expected)
    assert one.meta == other.meta
    pd.testing.assert_frame_equal(one.annotations, other.annotations)
    rows = range(len(one))
    np.testing.assert_array_equal(one.read(rows), other.read(rows))
    assert {path.name for path in found.iterdir()} == {path.name for path in expected.iterdir()}


def test_the_size_of_the_shards_does_not_change_the_images(spec, tmp_path):
    write_store(spec, tmp_path / "one")
    write_store(with_shards(spec), tmp_path / "many")
    one, many = ImageStore(tmp_path / "one"), ImageStore(tmp_path / "many")
    assert (len(one.meta.shards), len(many.meta.shards)) == (1, -(-COUNT // SHARD_ROWS))
    assert one.meta.fingerprint == many.meta.fingerprint
    rows = np.random.default_rng(0).permutation(COUNT)
    np.testing.assert_array_equal(many.read(rows), one.read(rows))
    first = np.load(tmp_path / "many" / many.meta.shards[0].file)
    np.testing.assert_array_equal(first, one.read(range(SHARD_ROWS)))


def decoded_names(monkeypatch):
    """Return a list of the images that are decoded from now on."""
    names = []

    def read(path, *arguments):
        names.append(path.name)
        return read_image(path, *arguments)

    monkeypatch.setattr(store_writer, "read_image", read)
    return names


def test_images_are_read_without_the_call_that_windows_lacks(spec, tmp_path, monkeypatch):
    write_store(with_shards(spec), tmp_path)
    rows = [COUNT - 1, 0, 5, 5]
    expected = ImageStore(tmp_path).read(rows)
    monkeypatch.delattr(os, "preadv", raising=False)
    np.testing.assert_array_equal(ImageStore(tmp_path).read(rows), expected)


def test_a_shard_that_was_cut_after_opening_is_an_error(spec, tmp_path):
    write_store(spec, tmp_path)
    store = ImageStore(tmp_path)
    path = next(tmp_path.glob("*.npy"))
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(ImageError, match="ends early"):
        store.read(range(COUNT))


def test_a_changed_image_makes_one_new_shard(spec, tmp_path, monkeypatch):
    spec = with_shards(spec)
    decode_and_save(spec, tmp_path / "stores")
    Image.fromarray(np.full((6, 8), 77, np.uint8)).save(spec.images / "5.png")
    names = decoded_names(monkeypatch)
    changed = replace(spec, images_key="changed")
    store = decode_and_save(changed, tmp_path / "stores")
    assert names == ["4.png", "5.png", "6.png", "7.png"]
    assert store.read([5]).max() == 77
    write_store(changed, tmp_path / "fresh")
    assert_equal_stores(tmp_path / "stores" / "train_split", tmp_path / "fresh")


def test_a_changed_annotation_decodes_nothing(spec, tmp_path, monkeypatch):
    decode_and_save(spec, tmp_path)
    names = decoded_names(monkeypatch)
    labels = spec.annotations.assign(label=1)
    store = decode_and_save(replace(spec, annotations=labels), tmp_path)
    assert names == []
    assert set(store.labels) == {1}


def test_finished_shards_of_a_killed_run_are_used(spec, tmp_path, monkeypatch):
    spec = with_shards(spec)
    names = []

    def read(path, *arguments):
        if len(names) == 2 * SHARD_ROWS + 1:
            raise KeyboardInterrupt
        names.append(path.name)
        return read_image(path, *arguments)

    monkeypatch.setattr(store_writer, "read_image", read)
    with pytest.raises(KeyboardInterrupt):
        decode_split(spec, tmp_path)
    again = decoded_names(monkeypatch)
    store = decode_and_save(spec, tmp_path)
    assert not set(again) & set(spec.annotations["file"][: 2 * SHARD_ROWS])
    write_store(spec, tmp_path / "fresh")
    assert_equal_stores(tmp_path / "train_split", tmp_path / "fresh")
    assert len(store) == COUNT


def test_a_store_without_images_is_complete(spec, tmp_path):
    write_store(replace(spec, annotations=spec.annotations.iloc[:0]), tmp_path / "store")
    store = ImageStore(tmp_path / "store")
    assert len(store) == 0
    assert store.read([]).shape == (0, 6, 8, 1)


CHANGES = st.lists(
    st.tuples(
        st.sampled_from(["pixels", "label", "append", "remove", "swap", "letterbox"]),
        st.integers(0, 9),
    ),
    max_size=6,
)


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(CHANGES)
def test_an_incrementally_made_store_equals_a_fresh_one(spec, tmp_path_factory, changes):
    folder = tmp_path_factory.mktemp("stores")
    images = folder / "images"
    shutil.copytree(spec.images, images)
    rows, image = spec.annotations.copy(), spec.image
    for number, (kind, at) in enumerate(changes):
        row = at % len(rows)
        if kind == "pixels":
            pixels = np.full((6, 8), 100 + number, np.uint8)
            path = images / rows["file"][row]
            Image.fromarray(pixels).save(path)
            os.utime(path, ns=(number, number))
        elif kind == "label":
            rows.loc[row, "label"] = (rows["label"][row] + 1) % 3
        elif kind == "append":
            name = f"new{number}.png"
            shutil.copy(spec.images / "0.png", images / name)
            rows = pd.concat([rows, rows.iloc[[row]].assign(file=name)], ignore_index=True)
        elif kind == "remove" and len(rows) > 1:
            rows = rows.drop(index=row).reset_index(drop=True)
        elif kind == "swap":
            rows = rows.iloc[[row, *(each for each in range(len(rows)) if each != row)]]
            rows = rows.reset_index(drop=True)
        elif kind == "letterbox":
            image = image.model_copy(update={"letterbox": not image.letterbox})
        changed = replace(
            with_shards(spec), annotations=rows, images=images, image=image, images_key=str(number)
        )
        decode_and_save(changed, folder / "stores")
        write_store(changed, folder / "fresh")
        assert_equal_stores(folder / "stores" / "train_split", folder / "fresh")
