import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from mnist_localization.evaluation.paired_tests import (
    bootstrap_difference,
    disagreements,
    holm,
    mcnemar,
    paired_tests,
)


def predictions(labels, iou=None):
    count = len(labels)
    return pd.DataFrame(
        {
            "file": [f"{number}.png" for number in range(count)],
            "label": 0,
            "predicted_label": labels,
            "iou": np.full(count, 0.5) if iou is None else iou,
        }
    )


@given(st.integers(0, 60), st.integers(0, 60))
@settings(deadline=None)
def test_mcnemar_agrees_with_the_exact_tail_of_scipy(better, worse):
    expected = min(1.0, 2 * stats.binom.cdf(min(better, worse), better + worse, 0.5))
    assert mcnemar(better, worse) == pytest.approx(expected, rel=1e-9)
    assert mcnemar(better, worse) == mcnemar(worse, better)


def test_the_bootstrap_agrees_with_scipy_and_the_t_test():
    change = np.random.default_rng(1).normal(0.02, 0.2, 800)
    low, high, p = bootstrap_difference(change, 4000, 2)
    reference = stats.bootstrap(
        (change,), np.mean, n_resamples=4000, method="percentile", rng=np.random.default_rng(3)
    ).confidence_interval
    assert (low, high) == pytest.approx((reference.low, reference.high), abs=0.002)
    assert p == pytest.approx(stats.ttest_1samp(change, 0).pvalue, abs=0.02)


def test_equal_predictions_do_not_differ():
    table = predictions([0, 1, 0])
    tests = paired_tests({"a": table, "b": table}, 100, 1)
    assert tests["p_corrected"].tolist() == [1.0, 1.0]
    assert tests["result"].tolist() == ["no difference at the 5% level"] * 2
    assert tests["differing"].tolist() == [0, 0]
    assert disagreements({"a": table, "b": table}, 5).empty


def test_rows_are_matched_by_file_and_not_by_position():
    table = predictions([0, 1, 0, 0], np.array([0.1, 0.2, 0.3, 0.4]))
    tests = paired_tests({"a": table, "b": table.iloc[::-1]}, 100, 1)
    assert tests["difference"].tolist() == [0.0, 0.0]


def test_a_better_run_is_significant_and_the_order_gives_the_sign():
    random = np.random.default_rng(0)
    worse = predictions((random.random(400) < 0.2).astype(int), random.uniform(0.4, 0.6, 400))
    better = predictions((random.random(400) < 0.05).astype(int), random.uniform(0.5, 0.7, 400))
    there = paired_tests({"a": worse, "b": better}, 500, 1).set_index("score")
    back = paired_tests({"b": better, "a": worse}, 500, 1).set_index("score")
    assert (there["difference"] == -back["difference"]).all()
    assert there["result"].tolist() == ["higher at the 5% level"] * 2
    assert back["result"].tolist() == ["lower at the 5% level"] * 2
    inside = (there["low"] < there["difference"]) & (there["difference"] < there["high"])
    assert inside.all()


def test_p_values_are_corrected_step_by_step():
    # Worked example: 0.01 * 3, max(0.02 * 2, 0.03), max(0.2, 0.04).
    assert holm([0.02, 0.2, 0.01]) == pytest.approx([0.04, 0.2, 0.03])
    assert holm([0.9, 0.8]) == [1.0, 1.0]
    assert holm([]) == []


def test_images_of_other_labels_come_before_those_of_other_boxes():
    first = predictions([0, 0, 0, 0], np.array([0.9, 0.9, 0.9, 0.9]))
    second = predictions([0, 1, 0, 0], np.array([0.1, 0.8, 0.9, 0.5]))
    found = disagreements({"a": first, "b": second}, 9)["file"].tolist()
    assert found == ["1.png", "0.png", "3.png"]
    assert len(disagreements({"a": first, "b": second}, 2)) == 2
