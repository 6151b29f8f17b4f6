import math
import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mnist_localization.evaluation.scores import bootstrap_interval, wilson_interval


@given(st.integers(1, 5000), st.data())
def test_wilson_interval_equals_the_formula_of_the_paper(trials: int, data: st.DataObject) -> None:
    successes = data.draw(st.integers(0, trials))
    share, weight = successes / trials, 1.959963984540054**2 / trials
    center = (share + weight / 2) / (1 + weight)
    half = math.sqrt(weight * (share * (1 - share) + weight / 4)) / (1 + weight)
    low, high = wilson_interval(np.arange(trials) < successes)
    assert (low, high) == pytest.approx((center - half, center + half), abs=1e-9)
    assert 0 <= low <= share + 1e-12
    assert share <= high + 1e-12 <= 1 + 1e-12


def test_bootstrap_interval_of_a_mean_is_close_to_the_normal_one() -> None:
    values = np.random.default_rng(0).normal(3.0, 2.0, 2000)
    interval = bootstrap_interval(values, np.mean, 1000, seed=1)
    half = 1.96 * values.std() / np.sqrt(values.size)
    assert interval == pytest.approx((values.mean() - half, values.mean() + half), abs=0.02)


def test_bootstrap_interval_of_one_image_is_its_value() -> None:
    assert bootstrap_interval(np.array([0.7]), np.median, 100, seed=1) == (0.7, 0.7)


def test_memory_of_the_bootstrap_does_not_grow_with_resamples_times_images() -> None:
    values = np.random.default_rng(0).random(50_000)
    bootstrap_interval(values[:10], np.median, 10, seed=1)  # imports scipy
    tracemalloc.start()
    try:
        bootstrap_interval(values, np.median, 200, seed=1)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 200 * values.nbytes
