"""Whatever `kedro viz` can show has a layer and a colour, in any pipeline."""

import importlib
import json
import pkgutil

import pytest
import yaml

from mnist_localization import pipelines
from project import ROOT

STYLES = json.loads((ROOT / ".viz" / "styles.json").read_text("utf-8"))
CATALOG = {
    name: entry
    for path in sorted((ROOT / "conf" / "base").glob("catalog*.yml"))
    for name, entry in yaml.safe_load(path.read_text("utf-8")).items()
}
# Several stages write to it, so it belongs to no layer; see the catalog.
WITHOUT_LAYER = {"tracker"}
NODES = [
    node
    for module in pkgutil.iter_modules(pipelines.__path__)
    for node in importlib.import_module(f"{pipelines.__name__}.{module.name}")
    .create_pipeline()
    .nodes
]


def layer(name):
    return CATALOG[name]["metadata"]["kedro-viz"]["layer"]


def fill(name):
    return STYLES[name]["themes"]["light"]["fill"]


@pytest.mark.parametrize("name", sorted(CATALOG.keys() - WITHOUT_LAYER))
def test_a_dataset_has_a_layer_and_the_colour_of_its_layer(name):
    first = next(
        other
        for other in CATALOG
        if other not in WITHOUT_LAYER | {name} and layer(other) == layer(name)
    )
    assert fill(name) == fill(first)


def test_datasets_of_all_pipelines_are_in_the_catalog():
    used = {name for node in NODES for name in (*node.inputs, *node.outputs)}
    assert {name for name in used if not name.startswith("params:")} == set(CATALOG)


def test_every_node_is_coloured_and_nothing_else():
    assert set(STYLES) == (CATALOG.keys() - WITHOUT_LAYER) | {node.name for node in NODES}
    layers = {fill(name) for name in CATALOG.keys() - WITHOUT_LAYER}
    assert {fill(node.name) for node in NODES} <= layers
