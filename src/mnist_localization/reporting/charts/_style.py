"""Colors and layout that the Plotly charts share."""

from typing import Any

# Colors of decreasing lightness, so that they differ in grayscale too.
DARK = "#1f3a5f"
MEDIUM = "#d1603d"
LIGHT = "#a3c4bc"


def plotly_layout(title: str, subtitle: str = "") -> dict[str, Any]:
    """Return the common layout, for `figure.update_layout`."""
    return {
        "title": {"text": title, "subtitle": {"text": subtitle}},
        "template": "simple_white",
        "font": {"size": 13},
        "margin": {"t": 120, "l": 70, "r": 40, "b": 70},
        "legend": {"orientation": "h", "x": 1, "xanchor": "right", "y": 1.02, "yanchor": "bottom"},
    }
