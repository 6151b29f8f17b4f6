import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from mnist_localization.evaluation.intervals import bootstrap_intervals, wilson_interval


@given(st.integers(1, 5000), st.data())
def test_wilson_interval_is_that_of_scipy(trials: int, data: st.DataObject) -> None:
    successes = data.draw(st.integers(0, trials))
    expected = binomtest(successes, trials).proportion_ci(0.95, method="wilson")
    low, high = wilson_interval(successes, trials)
    assert (low, high) == pytest.approx((expected.low, expected.high), abs=1e-9)
    assert 0 <= low <= successes / trials <= high + 1e-12 <= 1 + 1e-12


def test_bootstrap_interval_of_a_mean_is_close_to_the_normal_one() -> None:
    values = np.random.default_rng(0).normal(3.0, 2.0, 2000)
    means = bootstrap_intervals({"x": values}, {"x": lambda v: float(v.mean())}, 1000, seed=1)
    half = 1.96 * values.std() / np.sqrt(values.size)
    assert means["x"] == pytest.approx([values.mean() - half, values.mean() + half], abs=0.02)
