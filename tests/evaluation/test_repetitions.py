import numpy as np
import pandas as pd
import pytest

from mnist_localization.evaluation.repetitions import (
    STATISTICS,
    differing,
    markdown_table,
    summarize,
)


def repetitions(architectures=("a", "a", "a")):
    count = len(architectures)
    return pd.DataFrame(
        {
            "repetition": [f"seed-{number}" for number in range(count)],
            "architecture": architectures,
            "seed": range(count),
            "epochs": 3,
            "seconds": 12.4,
            "label_accuracy": np.linspace(0.9, 1.0, count),
            "mean_iou": 0.5,
        }
    )


def test_the_summary_has_the_statistics_of_each_score():
    table = summarize(repetitions()).set_index("metric")
    expected = pd.Series([0.9, 0.95, 1.0])
    found = table.loc["label_accuracy", list(STATISTICS)].tolist()
    assert found == pytest.approx([0.95, expected.std(ddof=1), 0.9, 1.0])
    assert table.loc["mean_iou", list(STATISTICS)].tolist() == [0.5, 0.0, 0.5, 0.5]
    assert table["n"].tolist() == [3, 3]


def test_architectures_are_summarized_apart():
    table = summarize(repetitions(("a", "b", "a")))
    accuracy = table[table["metric"] == "label_accuracy"].set_index("architecture")
    assert accuracy["mean"].to_dict() == pytest.approx({"a": 0.95, "b": 0.95})
    assert accuracy["n"].to_dict() == {"a": 2, "b": 1}
    assert "standard deviation of `b`** | nan %" in markdown_table(repetitions(("a", "b")), "x")


def test_the_markdown_table_has_a_row_for_each_repetition_and_a_caption():
    lines = markdown_table(repetitions(), "Caption.").splitlines()
    assert lines[0] == "|  | Label accuracy | Mean IoU | epochs | training time |"
    assert lines[2] == "| `seed-0` | 90.00 % | 0.5000 | 3 | 12 s |"
    assert lines[5] == "| **mean** | 95.00 % | 0.5000 |  |  |"
    assert lines[6] == "| **standard deviation** | 5.00 % | 0.0000 |  |  |"
    assert lines[7] == "| **minimum** | 90.00 % | 0.5000 |  |  |"
    assert lines[-1] == "Caption."


def test_names_have_what_differs():
    facts = [{"seed": seed, "fold": fold} for seed in (1, 2) for fold in ("1/2", "2/2")]
    assert list(differing(facts))[:2] == ["seed-1_fold-1-of-2", "seed-1_fold-2-of-2"]
    assert list(differing(facts[:1])) == ["once"]
