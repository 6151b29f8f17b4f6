"""What all charts share: a look that is still read when printed in gray."""

from typing import Any

# Of falling lightness, so that they differ in gray too.
DARK = "#1f3a5f"
MEDIUM = "#d1603d"
LIGHT = "#a3c4bc"
# Light for few, dark for many: its lightness alone orders it.
SCALE = "Greys"


def layout(title: str, subtitle: str = "") -> dict[str, Any]:
    """Layout of a chart, for `figure.update_layout`.

    Args:
        title: What the chart shows.
        subtitle: Of what, in smaller letters below.
    """
    return {
        "title": {"text": title, "subtitle": {"text": subtitle}},
        "template": "simple_white",
        "font": {"size": 13},
        "margin": {"t": 120, "l": 70, "r": 40, "b": 70},
        "legend": {"orientation": "h", "x": 1, "xanchor": "right", "y": 1.02, "yanchor": "bottom"},
    }


def percent(share: float | None) -> str:
    """A share as text: 0.985 is `98.5 %`; nothing where there is none."""
    return "" if share is None else f"{100 * share:.1f} %"
