import numpy as np
import pandas as pd

from mnist_localization.models.architecture import ModelSpec, build_network
from mnist_localization.models.saving import layer_table
from mnist_localization.reporting.model_graph import architecture_diagram

LAYERS = pd.DataFrame(
    [
        ("image", "InputLayer", "40 x 40 x 1", 0, ""),
        ("conv", "Conv2D", "38 x 38 x 8", 80, "image"),
        ("norm", "BatchNormalization", "38 x 38 x 8", 32, "conv"),
        ("relu", "ReLU", "38 x 38 x 8", 0, "norm"),
        ("pool", "GlobalAveragePooling2D", "8", 0, "relu"),
        ("drop", "Dropout", "8", 0, "pool"),
        ("label", "Dense", "2", 18, "drop"),
        ("bbox", "Dense", "4", 36, "pool"),
    ],
    columns=["layer", "type", "output_shape", "parameters", "inputs"],
)


def texts(figure):
    (axes,) = figure.axes
    return [text.get_text() for text in axes.texts]


def boxes(figure):
    """Return the bounding box of each layer's rectangle, top first."""
    patches = sorted(figure.axes[0].patches, key=lambda it: (it.get_y(), it.get_x()))
    return [patch.get_bbox() for patch in patches]


def routes(figure):
    """Return the points of each edge; arrow heads are lines of one point."""
    return [line.get_xydata() for line in figure.axes[0].lines if len(line.get_xydata()) > 1]


def chain(*edges):
    """Return layers with the given edges; names are sorted in topological order."""
    names = sorted({name for edge in edges for name in edge})
    inputs = [", ".join(start for start, end in edges if end == name) for name in names]
    table = pd.DataFrame({"layer": names, "type": "Dense", "output_shape": "8", "inputs": inputs})
    return table.assign(parameters=1)


def test_edges_lead_down_and_boxes_do_not_overlap():
    figure = architecture_diagram(chain("ab", "bc", "ac", "ad", "ce", "de"), "Five")
    rectangles = boxes(figure)
    assert len(rectangles) == 5
    for index, one in enumerate(rectangles):
        assert not any(one.overlaps(other) for other in rectangles[index + 1 :])
    assert len(routes(figure)) == 6
    assert all((np.diff(points[:, 1]) > 0).all() for points in routes(figure))


def test_an_edge_that_crosses_a_row_does_not_cross_its_boxes():
    figure = architecture_diagram(chain("ab", "bc", "ac"), "Three")
    _, middle, _ = boxes(figure)
    (passing,) = [points for points in routes(figure) if len(points) == 4]
    for x, y in passing[1:3]:
        assert middle.y0 - 0.01 <= y <= middle.y1 + 0.01
        assert not middle.x0 - 0.1 <= x <= middle.x1 + 0.1


def test_normalization_activation_and_dropout_are_written_into_the_layer_before():
    shown = texts(architecture_diagram(LAYERS, "Small"))
    assert "Conv2D + BatchNormalization + ReLU\n38 x 38 x 8  ·  112 parameters" in shown
    assert "norm" not in shown
    # The pooling has two consumers, and the dropout belongs to only one of them.
    assert "drop" in shown
    assert "8 layers, 166 parameters; each box shows name, type and output shape" in shown


def test_the_table_of_a_model_states_the_inputs_of_each_layer():
    settings = {"dropout": 0.3, "regression_units": [8], "rescale": True}
    model = build_network("report2020", settings, ModelSpec(40, 40, 1, 2, True)).localizer
    table = layer_table(model)
    assert table["parameters"].sum() == model.count_params()
    rows = table.set_index("layer")
    assert rows.loc["features"].tolist() == ["GlobalAveragePooling2D", "64", 0, "conv_3"]
    assert rows.at["label_dropout", "inputs"] == rows.at["bbox_hidden_1", "inputs"] == "features"
    assert rows.at["image", "inputs"] == ""
    assert set(table["layer"]) <= {*texts(architecture_diagram(table, "report2020"))}
