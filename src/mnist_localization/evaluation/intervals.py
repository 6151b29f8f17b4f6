"""95 % intervals: Wilson's for a share, a seeded bootstrap for any other statistic."""

import math
from collections.abc import Callable, Mapping

import numpy as np
import numpy.typing as npt

WILSON = "wilson"
BOOTSTRAP = "bootstrap"

# The normal distribution leaves 2.5 % beyond this on either side.
_Z = 1.959963984540054

Values = npt.NDArray[np.float64]
Statistic = Callable[[Values], float]


def wilson_interval(successes: int, trials: int) -> list[float]:
    """Wilson's score interval of a share, at 95 %.

    E. B. Wilson, "Probable inference, the law of succession, and statistical inference"
    (1927). Unlike the normal approximation it stays within [0, 1] and has a width at 0 and 1.

    Args:
        successes: How often it happened.
        trials: How often it could have happened, above 0.

    Returns:
        Low and high end.
    """
    share = successes / trials
    weight = _Z**2 / trials
    center = (share + weight / 2) / (1 + weight)
    half = _Z * math.sqrt(share * (1 - share) / trials + weight / (4 * trials)) / (1 + weight)
    # At 0 and 1 the formula gives exactly that end, rounding errors aside.
    return [
        center - half if successes > 0 else 0.0,
        center + half if successes < trials else 1.0,
    ]


def bootstrap_intervals(
    values: Mapping[str, Values],
    statistics: Mapping[str, Statistic],
    resamples: int,
    seed: int,
) -> dict[str, list[float]]:
    """Percentile bootstrap intervals, at 95 %.

    All statistics see the same resamples, so their intervals can be compare_outputs; memory is that
    of one resample.

    Args:
        values: Name to one value an image, all `[n]`.
        statistics: The same names to what is computed of a resample.
        resamples: How many samples of `n` are drawn with replacement.
        seed: Makes the intervals repeatable.

    Returns:
        Name to low and high end.
    """
    generator = np.random.default_rng(seed)
    count = len(next(iter(values.values())))
    drawn: dict[str, list[float]] = {name: [] for name in values}
    for _ in range(resamples):
        rows = generator.integers(count, size=count)
        for name, column in values.items():
            drawn[name].append(statistics[name](column[rows]))
    return {
        name: [float(end) for end in np.quantile(results, [0.025, 0.975])]
        for name, results in drawn.items()
    }
