import platform
import re

import pandas as pd
import pytest

from mnist_localization.data.annotations.class_names import ClassNames
from mnist_localization.errors import StaleError
from mnist_localization.evaluation.predictions import predict_store
from mnist_localization.evaluation.robustness import ROBUSTNESS_COLUMNS
from mnist_localization.evaluation.scores import ScoredSplit, evaluate_predictions
from mnist_localization.evaluation.staleness import with_fingerprints
from mnist_localization.export import REPORT_COLUMNS, write_model_card
from mnist_localization.export.model_card import escape
from mnist_localization.models.provenance import model_fingerprint
from support.dataset_cards import make_card
from support.kept_runs import runs_with
from support.settings import section
from support.small_stores import SIDE

CARD = make_card(source="synthetic", fallback_reason="no <b>net</b>")
TEXTS = {
    "title": "Squares",
    "intended_use": "Tests.",
    "limits": ["One square."],
    "data_license": ["None."],
}
NO_ROBUSTNESS = pd.DataFrame(columns=list(ROBUSTNESS_COLUMNS))
REPORT = pd.DataFrame(
    [("litert", "localizer.tflite", 12345, 40, 1e-7, 0.25, 0.5, 0.75, 1.5)],
    columns=list(REPORT_COLUMNS),
)


def dataset(*names):
    image = {"height": SIDE, "width": SIDE, "channels": 1}
    return section("dataset", image=image, class_names=names, whole_pixel_boxes=False)


def evaluation(**changes):
    quick = {"batch_size": 16, "bootstrap_resamples": 20, "calibration_bins": 5}
    return section("evaluate", **{"on_stale": "error", "position_grid": 2, **quick, **changes})


@pytest.fixture(scope="module")
def scored(trained):
    """Return predictions of the small localizer on its test split, and their metrics."""
    localizer, test = trained[0], trained[2].store

    def predictor(images):
        outputs = localizer.predict_on_batch(images)
        return {**outputs, "bbox_raw": outputs["bbox"]}

    predictions = with_fingerprints(predict_store(predictor, test, 16), localizer, test.meta)
    data = dataset("small", "large")
    scored = ScoredSplit(
        source="synthetic",
        split="test",
        images=len(predictions),
        fingerprint=test.meta.fingerprint,
        validated_on="train",
    )
    metrics = evaluate_predictions(
        predictions,
        [("mean_box", predictions)],
        evaluation(),
        data,
        1,
        scored=scored,
        training={},
    )
    return predictions, metrics


@pytest.fixture
def card(trained, scored, settings):
    """Return a function that writes the card of the small localizer."""
    localizer, _, test = trained
    predictions, metrics = scored

    def write(data=None, robustness=NO_ROBUSTNESS, document=CARD, predictions=predictions):
        facts = data or dataset("small", "large")
        return write_model_card(
            settings(model_card=TEXTS),
            facts,
            evaluation(),
            ClassNames(facts.class_names),
            runs_with(localizer),
            test,
            predictions,
            metrics,
            document,
            robustness,
            REPORT,
        )

    return write


def test_the_card_has_scores_with_intervals_data_limitations_license_files_and_versions(
    card, trained, scored
):
    text, metrics = card(), scored[1]
    localizer, train, test = trained
    low, high = metrics.intervals["mean_iou"]
    assert text.startswith("# Squares\n")
    assert f"| Mean IoU | {metrics.scores['mean_iou']:.4f} | {low:.4f} to {high:.4f} |" in text
    assert f"| mean box | {100 * metrics.scores['label_accuracy']:.2f} % |" in text
    assert "| litert | localizer.tflite | 12,345 | 40 | 0.000000 | 0.2500 | 0.5000 |" in text
    for part in (
        "- One square.",
        "- None.",
        f"| python | {platform.python_version()} |",
        f"| Parameters | {localizer.count_params():,} |",
        model_fingerprint(localizer),
        train.store.meta.fingerprint,
        test.store.meta.fingerprint,
        "| Seed | 7 |",
        "| Training images | 54,321 |",
        "| Test images | 40 |",
    ):
        assert part in text
    assert "Classes, in the order of the probabilities: small, large." in text


def test_the_card_has_the_robustness_or_how_to_measure_it(card):
    assert "Not measured." in card()
    rows = [("noise", 0.9, 0.8, None, None)]
    text = card(robustness=pd.DataFrame(rows, columns=list(ROBUSTNESS_COLUMNS)))
    assert "Not measured." not in text
    assert "| noise | 0.9000 | 0.8000 | does not apply |" in text


def test_a_stand_in_is_stated_first(card):
    text = card()
    assert text.index("Trained on a stand-in") < text.index("## Intended use")
    assert "> Reason: no \\<b\\>net\\</b\\>" in text


def test_text_from_the_dataset_is_escaped_in_the_card(card):
    names = ("<script>alert(1)</script>", "a | b\n# c ![x](http://e.org) `d` *e*")
    text = card(data=dataset(*names), document=make_card(base_url="http://e.org/<x>"))
    assert not re.search(r"(?<!\\)<script", text)
    assert "a \\| b \\# c \\!\\[x\\](http\\://e.org) \\`d\\` \\*e\\*" in text
    assert "http\\://e.org/\\<x\\>" in text


def test_escaped_text_stays_one_line_and_is_escaped_once():
    assert escape("a\r\n\tb_c") == "a b\\_c"
    assert escape(escape("a_b")) == "a\\_b"


def test_the_tables_of_the_card_have_a_heading_and_no_gaps(card):
    lines = card().splitlines()
    rows = [line.startswith("|") for line in lines]
    for number, line in enumerate(lines):
        if re.fullmatch(r"\|( -+:? \|)+", line):
            assert rows[number - 1]
            assert rows[number + 1]
            assert lines[number - 1].count(" |") >= line.count(" |")
        assert line == line.rstrip()
    assert "| this model | " in card()


def test_scores_of_another_model_are_an_error(card, scored):
    other = scored[0].copy()
    other.attrs["model_fingerprint"] = "another"
    with pytest.raises(StaleError, match="kedro run --pipelines=evaluate"):
        card(predictions=other)
