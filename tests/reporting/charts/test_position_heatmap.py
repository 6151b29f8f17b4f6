import re

from mnist_localization.reporting.charts.position_heatmap import CHART
from mnist_localization.reporting.html.formatting import DASH


def test_positions_are_in_pixels_with_y_pointing_down(make_data):
    figure = CHART.plotly(make_data())
    (heatmap,) = figure.data
    assert heatmap.x == (f"0{DASH}50", f"50{DASH}100")
    assert heatmap.y == (f"0{DASH}25", f"25{DASH}50")
    assert [list(row) for row in heatmap.z] == [[0.9, None], [None, 0.7]]
    assert heatmap.text[0][1] == "no image"
    assert figure.layout.yaxis.autorange == "reversed"
    assert figure.layout.yaxis.title.text == "y of the true box center (pixels)"
    assert (heatmap.zmin, heatmap.zmax) == (0.7, 1)


def test_the_svg_labels_regions_and_cells(make_data):
    svg = CHART.svg(make_data())
    assert re.findall(r'class="tick">([^<]+)<', svg) == [f"0{DASH}50", f"50{DASH}100"]
    assert re.findall(r'class="tick row-name">([^<]+)<', svg) == [f"0{DASH}25", f"25{DASH}50"]
    values = re.findall(r'class="value">([^<]+)<', svg)
    assert values == ["0.900", "no image", "no image", "0.700"]
    assert "<title>IoU 0.9000, label accuracy 80.00\u00a0%, 5 images</title>" in svg


def test_positions_in_images_of_several_sizes_are_shares_of_the_image(make_data, dataset):
    image = dataset.image.model_copy(update={"letterbox": True})
    data = make_data(dataset=dataset.model_copy(update={"image": image}))
    figure = CHART.plotly(data)
    assert figure.data[0].x == figure.data[0].y == (f"0{DASH}50", f"50{DASH}100")
    assert "%" in figure.layout.xaxis.title.text
    assert figure.layout.xaxis.title.text in CHART.svg(data)


def test_tiny_differences_between_positions_do_not_span_the_whole_scale(make_data):
    places = [
        {"row": row, "column": column, "images": 5, "mean_iou": 0.999, "label_accuracy": 0.8}
        for row in (0, 1)
        for column in (0, 1)
    ]
    data = make_data(by_position=places)
    assert CHART.plotly(data).data[0].zmin == 0.95
    (opacity,) = set(re.findall(r'fill-opacity="(\S+)"', CHART.svg(data)))
    assert float(opacity) > 0.9
