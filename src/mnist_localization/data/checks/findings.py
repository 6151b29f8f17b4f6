"""What a check finds, one row each."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from typing import Literal

import pandas as pd

from mnist_localization.data.images.decode import printable

# `fact` is as it should be; `note` is worth a look; `problem` spoils a training or a score.
Level = Literal["fact", "note", "problem"]
LEVELS: tuple[Level, ...] = ("problem", "note", "fact")

CHECK_COLUMNS = ("level", "check", "split", "file", "name", "value", "detail")


@dataclass(frozen=True)
class Finding:
    """One row of the table `dataset_check`.

    Attributes:
        level: `fact`, `note` or `problem`.
        check: What was looked at, or the kind of fault.
        split: `train` or `test`.
        file: Name of the image, below the folder of the split's images; empty for facts.
        name: What is counted or measured, such as a class.
        value: Its number, where there is one.
        detail: In words.
    """

    level: Level
    check: str
    split: str
    file: str = ""
    name: str = ""
    value: float | None = None
    detail: str = ""


def findings_table(findings: Iterable[Finding]) -> pd.DataFrame:
    """The table `dataset_check`: problems first, then notes, then facts, each in their order."""
    rows = [asdict(_printable(finding)) for finding in findings]
    table = pd.DataFrame(rows, columns=list(CHECK_COLUMNS))
    order = table["level"].map({level: rank for rank, level in enumerate(LEVELS)})
    table = table.iloc[order.argsort(kind="stable")].reset_index(drop=True)
    return table.astype({"value": float})


def _printable(finding: Finding) -> Finding:
    """A file's name that is not UTF-8 could be written neither to the table nor to the page."""
    return replace(finding, file=printable(finding.file), detail=printable(finding.detail))
