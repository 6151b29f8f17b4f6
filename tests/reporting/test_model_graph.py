import pandas as pd

from mnist_localization.models.architecture import ModelSpec, build_network
from mnist_localization.models.saving import layer_table
from mnist_localization.reporting import architecture_diagram
from mnist_localization.reporting.ranks import arranged

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


def test_every_edge_leads_down_and_no_two_nodes_overlap():
    names = ["a", "b", "c", "d", "e"]
    edges = [("a", "b"), ("b", "c"), ("a", "c"), ("a", "d"), ("c", "e"), ("d", "e")]
    places, routes = arranged(names, edges)
    assert [places[name].rank for name in names] == [0, 1, 2, 1, 3]
    for (start, end), route in routes.items():
        passed = [place.rank for place in route]
        assert passed == list(range(places[start].rank + 1, places[end].rank))
    for one in names:
        for other in names:
            if one < other and places[one].rank == places[other].rank:
                assert abs(places[one].x - places[other].x) >= 0.999


def test_an_edge_that_passes_a_rank_keeps_clear_of_its_nodes():
    places, routes = arranged(["a", "b", "c"], [("a", "b"), ("b", "c"), ("a", "c")])
    (passing,) = routes["a", "c"]
    assert passing.rank == places["b"].rank
    assert abs(passing.x - places["b"].x) > 0.5


def test_layers_without_a_shape_of_their_own_are_written_into_the_layer_before():
    shown = texts(architecture_diagram(LAYERS, "Small"))
    assert "Conv2D + BatchNormalization + ReLU" in shown
    assert "38 x 38 x 8  ·  112 parameters" in shown
    assert "norm" not in shown
    # Two layers take from the pooling: the dropout is that of one head alone.
    assert "drop" in shown
    assert "8 layers, 166 parameters; in each box: name, type, output shape" in shown


def test_the_table_of_a_model_names_what_each_layer_takes_its_input_from():
    settings = {"dropout": 0.3, "regression_units": [8], "rescale": True}
    model = build_network("report2020", settings, ModelSpec(40, 40, 1, 2, True)).localizer
    table = layer_table(model)
    assert table["parameters"].sum() == model.count_params()
    rows = table.set_index("layer")
    assert rows.loc["features"].tolist() == ["GlobalAveragePooling2D", "64", 0, "conv_3"]
    assert rows.at["label_dropout", "inputs"] == rows.at["bbox_hidden_1", "inputs"] == "features"
    assert rows.at["image", "inputs"] == ""
    assert set(table["layer"]) <= {*texts(architecture_diagram(table, "report2020"))}
