"""Elements and axes of the SVG charts."""

import math

from hypothesis import given
from hypothesis import strategies as st

from mnist_localization.reporting.charts._drawing import (
    Axis,
    axis_for,
    bar,
    bar_rows,
    drawing,
    element,
)

finite = st.floats(-1e6, 1e6, allow_nan=False).filter(lambda x: x == 0 or abs(x) > 1e-6)


def test_elements_escape_text_and_attributes() -> None:
    assert element("a", "<b>&", title='"<') == '<a title="&#34;&lt;">&lt;b&gt;&amp;</a>'
    assert element("g", element("b", "x"), class_="c", stroke_width=1.50004) == (
        '<g class="c" stroke-width="1.5"><b>x</b></g>'
    )


def test_a_drawing_has_a_title_and_a_description_for_assistive_technology() -> None:
    svg = drawing("chart", "Title", "A & B", (500, 300))
    assert 'aria-labelledby="chart-title chart-desc"' in svg
    assert '<title id="chart-title">Title</title><desc id="chart-desc">A &amp; B</desc>' in svg


@given(st.lists(finite, min_size=1, max_size=8))
def test_axes_hold_their_values_and_have_a_few_round_ticks(values: list[float]) -> None:
    axis = axis_for(values, 200.0, 0.0)
    assert all(0 <= axis.at(value) <= 200 for value in values)
    ticks = axis.ticks()
    assert 1 <= len(ticks) <= 7
    assert ticks == sorted(ticks)
    room = (axis.high - axis.low) * 1e-6
    assert all(axis.low - room <= tick <= axis.high + room for tick in ticks)


@given(st.floats(1e-6, 1.0), st.floats(2.0, 1e6))
def test_equal_ratios_are_equal_distances_on_a_logarithmic_axis(low: float, factor: float) -> None:
    axis = Axis(low, low * factor, 0.0, 100.0, logarithmic=True)
    assert math.isclose(axis.at(low * math.sqrt(factor)), 50.0, abs_tol=1e-6)
    for tick in axis.ticks():
        assert math.isclose(math.log10(tick), round(math.log10(tick)), abs_tol=1e-9)
        assert low * (1 - 1e-9) <= tick <= low * factor * (1 + 1e-9)


def test_a_bar_spans_its_coordinates_in_any_order() -> None:
    assert 'x="10" y="20" width="30" height="5"' in bar((40, 10), (25, 20), "tooltip")


def test_rows_of_bars_leave_out_missing_values_and_grow_with_their_number() -> None:
    rows: list[tuple[str, list[tuple[float | None, str, str]]]] = [
        ("a", [(0.5, "half", "x"), (None, "", "y")]),
        ("b", [(1.0, "one", "x")]),
    ]
    (_, height), parts = bar_rows(rows, 1.0, ("name", "value"))
    markup = "".join(parts)
    assert markup.count("<rect") == 2
    assert "<title>a: half</title>" in markup
    assert height > bar_rows(rows[:1], 1.0, ("name", "value"))[0][1]
