import numpy as np
import pandas as pd
import pytest

from mnist_localization import backend  # noqa: F401  # isort: skip
import keras

from mnist_localization.errors import ModelError
from mnist_localization.folder import Folder
from mnist_localization.models.architecture import ModelSpec, build_network
from mnist_localization.models.provenance import Provenance
from mnist_localization.pipelines.train.nodes import forget_checkpoint
from mnist_localization.training.callbacks import EpochRecorder
from mnist_localization.training.checkpoint import Checkpoint, TrainingState
from mnist_localization.training.loop import fit_network, make_repeatable, training_key
from support.kept_runs import runs_with
from support.small_models import train_settings
from support.small_stores import CLASS_SIDES, SIDE, make_store

PHASES = [{"epochs": 2}, {"epochs": 3, "freeze": ["conv_*", "label"], "learning_rate": 0.02}]
BOTH = pytest.mark.parametrize("architecture", ["report2020", "glimpse"])


@pytest.fixture(scope="module")
def stores(tmp_path_factory):
    folder = tmp_path_factory.mktemp("stores")
    return make_store(folder, 50, 0), make_store(folder, 20, 1, "validation")


class Killed(Exception):
    """Stands for the end of the process, right after an epoch was saved."""


def train(stores, folder, options=None, kill_after=None, on_epoch=lambda epoch: None):
    options = options or train_settings()
    make_repeatable(3, deterministic=True)
    spec = ModelSpec(SIDE, SIDE, 1, len(CLASS_SIDES), True, Provenance(seed=1))
    network = build_network(options.architecture, options.of_architecture, spec)

    def end(epoch, logs, localizer):
        assert localizer is network.localizer
        on_epoch(epoch)
        if epoch == kill_after:
            raise Killed

    training, validation = stores
    return fit_network(
        network,
        spec,
        training,
        validation,
        options,
        seed=3,
        checkpoint_folder=folder / "x",
        on_epoch_end=end,
    )


def figures(history: pd.DataFrame) -> pd.DataFrame:
    return history.drop(columns="seconds")


@BOTH
def test_two_trainings_with_one_seed_are_equal(stores, tmp_path, architecture):
    options = train_settings(architecture=architecture)
    first, second = (train(stores, tmp_path / number, options) for number in ("1", "2"))
    pd.testing.assert_frame_equal(figures(first.history), figures(second.history))
    for one, other in zip(
        first.localizer.get_weights(), second.localizer.get_weights(), strict=True
    ):
        np.testing.assert_array_equal(one, other)


@BOTH
def test_a_resumed_training_ends_like_one_that_was_not_interrupted(stores, tmp_path, architecture):
    options = train_settings(architecture=architecture)
    whole = train(stores, tmp_path / "whole", options)
    with pytest.raises(Killed):
        train(stores, tmp_path / "killed", options, kill_after=2)
    resumed = train(stores, tmp_path / "killed", options)
    assert resumed.history["epoch"].tolist() == [1, 2, 3, 4]
    pd.testing.assert_frame_equal(
        figures(whole.history), figures(resumed.history), check_exact=True
    )


def test_a_finished_training_is_restored_until_its_model_is_saved(stores, tmp_path):
    finished, seen = train(stores, tmp_path), []
    again = train(stores, tmp_path, on_epoch=seen.append)
    assert not seen
    pd.testing.assert_frame_equal(again.history, finished.history, check_exact=True)
    for one, other in zip(
        again.localizer.get_weights(), finished.localizer.get_weights(), strict=True
    ):
        np.testing.assert_array_equal(one, other)


def test_a_training_starts_again_after_its_model_was_saved(stores, tmp_path):
    history, seen = train(stores, tmp_path).history, []
    history.attrs["checkpoint"] = "x"
    history.to_parquet(tmp_path / "history.parquet")
    forget_checkpoint(
        pd.read_parquet(tmp_path / "history.parquet"), Folder(tmp_path), runs_with(None)
    )
    train(stores, tmp_path, on_epoch=seen.append)
    assert seen == [1, 2, 3, 4]


def test_without_resume_a_killed_training_starts_again(stores, tmp_path):
    with pytest.raises(Killed):
        train(stores, tmp_path, kill_after=1)
    seen = []
    train(stores, tmp_path, train_settings(resume=False), on_epoch=seen.append)
    assert seen == [1, 2, 3, 4]


def test_the_weights_of_the_best_epoch_are_kept(stores, tmp_path):
    # The learning rate is too high, so that a later epoch is worse than an earlier one.
    options = train_settings(learning_rate=0.05, schedule="constant", epochs=6)
    result = train(stores, tmp_path, options)
    best = result.history["val_loss"].idxmin()
    assert result.best_epoch == result.history["epoch"][best]
    losses = result.history["val_loss"].round(6)
    assert losses.nunique() > 1
    outputs = result.localizer.predict(stores[1].read(range(20)), verbose=0)
    accuracy = (outputs["label"].argmax(axis=1) == stores[1].labels).mean()
    assert accuracy == pytest.approx(result.history["val_label_accuracy"][best])


def test_patience_ends_the_training(stores, tmp_path):
    stopping = {"monitor": "epoch", "mode": "min", "patience": 2, "min_delta": 0.0}
    result = train(stores, tmp_path, train_settings(epochs=9, early_stopping=stopping))
    assert len(result.history) == 3
    assert result.best_epoch == 1


def test_an_unknown_monitor_is_an_error_that_lists_the_logged_metrics(stores, tmp_path):
    stopping = {"monitor": "val_iou", "mode": "max", "patience": 2, "min_delta": 0.0}
    seen = []
    with pytest.raises(ModelError, match="'val_iou'.*val_bbox_mean_iou"):
        train(stores, tmp_path, train_settings(early_stopping=stopping), on_epoch=seen.append)
    assert not seen


def test_a_training_that_diverges_ends_with_advice_and_keeps_no_checkpoint(stores, tmp_path):
    seen = []
    options = train_settings(architecture="glimpse", learning_rate=1e30)
    message = r"its loss is (nan|inf) in epoch 1.*lower train\.learning_rate"
    with pytest.raises(ModelError, match=message):
        train(stores, tmp_path, options, on_epoch=seen.append)
    assert not seen
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_an_epoch_with_a_validation_loss_of_nan_is_never_the_best(tmp_path):
    stopping = train_settings().early_stopping
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    state = TrainingState()
    recorder = EpochRecorder(state, Checkpoint(tmp_path / "x"), stopping)
    recorder.set_model(model)
    for epoch, loss in enumerate([float("nan"), 3.0, float("nan"), 2.0]):
        recorder.on_epoch_end(epoch, {"val_loss": loss})
    assert (state.best_epoch, state.best_value) == (4, 2.0)


def test_the_key_of_a_training_depends_on_parameters_seed_and_data_but_not_on_resume():
    def key(seed=1, data="a", **changes):
        recorded = train_settings(**changes).to_json()
        return training_key(Provenance(settings=recorded, seed=seed, train_fingerprint=data))

    assert key() == key(resume=False)
    assert len({key(), key(epochs=5), key(seed=2), key(data="b"), key(phases=PHASES)}) == 5


def weights(localizer, name):
    return localizer.get_layer(name).get_weights()[0]


def test_a_second_phase_keeps_the_frozen_layers_of_the_best_epoch_of_the_first(stores, tmp_path):
    first = train(stores, tmp_path / "1", train_settings(phases=PHASES[:1]))
    both = train(stores, tmp_path / "2", train_settings(phases=PHASES))
    assert both.history["epoch"].tolist() == [1, 2, 3, 4, 5]
    for frozen in ("conv_1", "conv_3", "label"):
        np.testing.assert_array_equal(
            weights(first.localizer, frozen), weights(both.localizer, frozen)
        )
    assert (weights(first.localizer, "bbox_raw") != weights(both.localizer, "bbox_raw")).any()
    assert all(layer.trainable for layer in both.localizer.layers)


@pytest.mark.parametrize(
    "epoch",
    [3, *(pytest.param(epoch, marks=pytest.mark.slow) for epoch in (2, 5))],
)
def test_a_training_resumed_in_any_phase_ends_like_one_that_was_not_interrupted(
    stores, tmp_path, epoch
):
    options = train_settings(phases=PHASES)
    whole = train(stores, tmp_path / "whole", options)
    with pytest.raises(Killed):
        train(stores, tmp_path / "killed", options, kill_after=epoch)
    resumed = train(stores, tmp_path / "killed", options)
    pd.testing.assert_frame_equal(
        figures(whole.history), figures(resumed.history), check_exact=True
    )


def test_patience_starts_again_in_each_phase(stores, tmp_path):
    stopping = {"monitor": "epoch", "mode": "min", "patience": 2, "min_delta": 0.0}
    options = train_settings(phases=[{"epochs": 9}, {"epochs": 9}], early_stopping=stopping)
    assert len(train(stores, tmp_path, options).history) == 5


def test_a_pattern_that_matches_no_layer_is_an_error(stores, tmp_path):
    with pytest.raises(ModelError, match=r"'convolution_\*'.*conv_1"):
        train(stores, tmp_path, train_settings(phases=[{"epochs": 1, "freeze": ["convolution_*"]}]))
