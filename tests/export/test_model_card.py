import re

import pandas as pd
import pytest

from mnist_localization.config import ModelCardSettings
from mnist_localization.errors import StaleError
from mnist_localization.evaluation.predictions import predict_store
from mnist_localization.evaluation.robustness import ROBUSTNESS_COLUMNS
from mnist_localization.evaluation.scores import ScoredSplit, evaluate_predictions
from mnist_localization.evaluation.staleness import with_fingerprints
from mnist_localization.export import (
    REPORT_COLUMNS,
    ModelFacts,
    render_model_card,
    write_model_card,
)
from mnist_localization.export.model_card import escape
from mnist_localization.models.provenance import Provenance
from support.dataset_cards import make_card
from support.settings import section
from support.small_stores import SIDE

CARD = make_card(source="synthetic", fallback_reason="no <b>net</b>")
WORDS = ModelCardSettings(
    title="Squares", intended_use="Tests.", limits=("One square.",), data_license=("None.",)
)
KNOWN = Provenance(train_fingerprint="abc", train_images=54321, seed=7)
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
        {"mean_box": predictions},
        evaluation(),
        data,
        1,
        scored=scored,
        training={},
    )
    return predictions, metrics


def card(scored, data=None, robustness=NO_ROBUSTNESS, words=WORDS, document=CARD):
    return render_model_card(
        words,
        data or dataset("small", "large"),
        ModelFacts("report2020", 1234567, "f00d", KNOWN),
        metrics=scored[1],
        dataset_card=document,
        robustness=robustness,
        export_report=REPORT,
        versions={"python": "3.11.9"},
    )


def test_the_card_has_scores_with_intervals_data_limitations_license_files_and_versions(scored):
    text, metrics = card(scored), scored[1]
    low, high = metrics.intervals["mean_iou"]
    assert f"| Mean IoU | {metrics.scores['mean_iou']:.4f} | {low:.4f} to {high:.4f} |" in text
    assert f"| mean box | {100 * metrics.scores['label_accuracy']:.2f} % |" in text
    assert "| litert | localizer.tflite | 12,345 | 40 | 0.000000 | 0.2500 | 0.5000 |" in text
    for part in ("- One square.", "- None.", "| python | 3.11.9 |", "f00d", "abc", "1,234,567"):
        assert part in text
    for part in ("| Seed | 7 |", "| Training images | 54,321 |", "| Test images | 40 |"):
        assert part in text
    assert "Classes, in the order of the probabilities: small, large." in text


def test_the_card_has_the_robustness_or_how_to_measure_it(scored):
    assert "Not measured." in card(scored)
    rows = [("noise", 0.9, 0.8, None, None)]
    text = card(scored, robustness=pd.DataFrame(rows, columns=list(ROBUSTNESS_COLUMNS)))
    assert "Not measured." not in text
    assert "| noise | 0.9000 | 0.8000 | does not apply |" in text


def test_a_stand_in_is_stated_first(scored):
    text = card(scored)
    assert text.index("Trained on a stand-in") < text.index("## Intended use")
    assert "> Reason: no \\<b\\>net\\</b\\>" in text


def test_text_from_the_dataset_is_escaped_in_the_card(scored):
    names = ("<script>alert(1)</script>", "a | b\n# c ![x](http://e.org) `d` *e*")
    text = card(scored, data=dataset(*names), document=make_card(base_url="http://e.org/<x>"))
    assert not re.search(r"(?<!\\)<script", text)
    assert "a \\| b \\# c \\!\\[x\\](http\\://e.org) \\`d\\` \\*e\\*" in text
    assert "http\\://e.org/\\<x\\>" in text


def test_escaped_text_stays_one_line_and_is_escaped_once():
    assert escape("a\r\n\tb_c") == "a b\\_c"
    assert escape(escape("a_b")) == "a\\_b"


def test_scores_of_another_model_are_an_error(trained, scored, settings):
    localizer, _, test = trained
    predictions, metrics = scored
    first = (settings(), dataset("small", "large"), evaluation(), localizer, test)
    rest = (metrics, CARD, NO_ROBUSTNESS, REPORT)
    assert write_model_card(*first, predictions, *rest).startswith("# MNIST digit localizer\n")
    other = predictions.copy()
    other.attrs["model_fingerprint"] = "another"
    with pytest.raises(StaleError, match="kedro run --pipeline=evaluate"):
        write_model_card(*first, other, *rest)
