"""The page as a whole: safe, self-contained, deterministic, and for any dataset."""

import base64
import copy
import hashlib
import io
import json
import re
from collections import Counter
from html.parser import HTMLParser
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from mnist_localization.evaluation.metrics import all_metrics
from mnist_localization.reporting.charts import load_charts
from mnist_localization.reporting.html.formatting import DASH
from mnist_localization.reporting.html.report import comparison, embedded_json, score_rows
from support.dataset_cards import make_card
from support.sample_report import sample_report
from support.scoring_tables import make_metrics

ATTACK = "<script>alert(1)</script>"
VOID = {"meta", "link", "img", "input", "br", "hr"}


class Page(HTMLParser):
    """A parsed page: elements with their attributes, and the texts of each tag."""

    def __init__(self, html):
        super().__init__()
        self.elements = []
        self.texts = {}
        self._open = []
        self.feed(html)
        self.close()
        assert self._open == [], "an element is left open"

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag):
        assert self._open.pop() == tag

    def handle_data(self, data):
        if self._open:
            self.texts.setdefault(self._open[-1], []).append(data)

    def all(self, tag):
        return [attributes for name, attributes in self.elements if name == tag]

    def text(self):
        hidden = ("script", "style")
        return " ".join(
            text for tag, texts in self.texts.items() if tag not in hidden for text in texts
        )


@pytest.fixture(scope="module")
def report():
    return sample_report()


@pytest.fixture(scope="module")
def html(report):
    return report.render()


@pytest.fixture(scope="module")
def page(html):
    return Page(html)


def hostile_report():
    report = sample_report(
        names=(ATTACK, '"><img src=x onerror=alert(1)>', "</script><b>", "a&b", "\u2028'"),
        images=40,
        gallery=(10, 5, 5),
    )
    report.change_scored_split(source="synthetic", fingerprint=ATTACK)
    report.card = make_card(
        source="synthetic",
        folder=ATTACK,
        base_url=f"https://host/{ATTACK}",
        fallback_reason=f"no answer {ATTACK}",
        files={f"{ATTACK}.zip": {"size": 1, "sha256": ATTACK}},
    )
    report.change_metrics(training={ATTACK: ATTACK})
    report.history = report.history.rename(columns={"bbox_loss": ATTACK})
    return report


def test_text_of_the_dataset_never_becomes_markup(page):
    report = hostile_report()
    hostile = Page(report.render())
    kinds = {tag for tag, _ in page.elements}
    assert {tag for tag, _ in hostile.elements} <= kinds
    assert len(hostile.all("script")) == 2
    assert all(image["src"].startswith("data:image/png;base64,") for image in hostile.all("img"))
    assert not [name for _, it in hostile.elements for name in it if name.startswith("on")]
    assert ATTACK in hostile.text()
    assert f"no answer {ATTACK}" in hostile.text()


def test_hostile_file_names_stay_text(report):
    renamed = copy.deepcopy(report)
    image = renamed.gallery[0].annotated
    object.__setattr__(image, "file", f'"{ATTACK}.png')
    renamed_page = Page(renamed.render())
    assert len(renamed_page.all("script")) == 2
    assert any(image["alt"].startswith(f'"{ATTACK}.png:') for image in renamed_page.all("img"))


@given(st.recursive(st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)))
def test_embedded_json_is_the_same_document_without_markup(document):
    text = str(embedded_json({"inside": document}))
    assert json.loads(text) == {"inside": document}
    assert not set(text) & set("<>&\u2028\u2029")


def test_the_page_of_the_default_gallery_is_below_one_megabyte(report, html):
    assert 100 < len(report.gallery) <= 120
    assert len(html.encode("utf-8")) < 1_000_000


def test_the_same_inputs_give_the_same_bytes(report, html):
    assert copy.deepcopy(report).render() == html
    assert sample_report().render() == html


def test_the_page_refers_to_nothing_outside_itself(page, html):
    for tag, attributes in page.elements:
        for name in ("src", "href", "srcset", "action", "data", "poster"):
            address = attributes.get(name, "#")
            assert address.startswith(("data:", "#")), (tag, address)
        assert "style" not in attributes, "the policy would block it"
    assert "url(" not in html
    assert "@import" not in html


def test_the_policy_allows_only_the_style_and_script_of_the_page(page, html):
    (policy,) = [
        it["content"]
        for it in page.all("meta")
        if it.get("http-equiv") == "Content-Security-Policy"
    ]
    directives = dict(part.strip().split(" ", 1) for part in policy.split(";"))
    style = re.search(r"<style>(.*?)</style>", html, re.DOTALL).group(1)
    script = re.search(r"<script>(.*?)</script>", html, re.DOTALL).group(1)
    assert directives["default-src"] == "'none'"
    assert directives["img-src"] == "data:"
    assert directives["style-src"] == f"'sha256-{_sha256(style)}'"
    assert directives["script-src"] == f"'sha256-{_sha256(script)}'"


def _sha256(text):
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def test_the_script_sets_text_only_as_text(html):
    script = re.search(r"<script>(.*?)</script>", html, re.DOTALL).group(1)
    for way in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval("):
        assert way not in script


def test_identifiers_are_unique_and_every_field_has_a_label(page):
    identifiers = Counter(it["id"] for _, it in page.elements if "id" in it)
    assert [name for name, times in identifiers.items() if times > 1] == []
    labeled = {it["for"] for it in page.all("label") if "for" in it}
    for tag in ("select", "input"):
        for field in page.all(tag):
            assert field["id"] in labeled or field["type"] == "checkbox"
    for chart in (it for it in page.all("svg") if it.get("role") == "img"):
        assert all(name in identifiers for name in chart["aria-labelledby"].split())


def test_headings_do_not_skip_a_level(page):
    levels = [int(tag[1]) for tag, _ in page.elements if re.fullmatch(r"h\d", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))


def test_images_of_the_page_have_the_pixels_of_the_gallery(report, page):
    shown = [image for image in page.all("img") if image["src"].startswith("data:image/png")]
    by_file = {item.annotated.file: item.annotated.image for item in report.gallery}
    assert len(shown) == len(by_file)
    for image in shown:
        encoded = image["src"].removeprefix("data:image/png;base64,")
        pixels = np.asarray(Image.open(io.BytesIO(base64.b64decode(encoded))))
        assert np.array_equal(pixels, by_file[image["alt"].split(":")[0]][..., 0])


def test_scores_are_shown_with_the_baselines_that_apply(report, page):
    text = page.text()
    assert f"{report.metrics.scores['label_accuracy'] * 100:.2f}\u00a0%" in text
    assert f"{report.metrics.baselines['mean_box']['mean_iou']:.4f}" in text
    assert "Mean box" in text
    assert "Center of mass" not in text


def test_the_head_states_source_and_fingerprint(page):
    assert "upstream (the published dataset)" in page.text()
    assert "0123456789abcdef" * 4 in page.text()


def test_the_best_score_of_a_row_is_marked():
    metrics = make_metrics(
        scores={"mean_iou": 0.5, "iou_at_50": 0.4},
        intervals={"mean_iou": (0.4, 0.6)},
        baselines={"mean_box": {"mean_iou": 0.75}, "center_of_mass": None},
    )
    first, second = score_rows(metrics)
    assert first.metric.key == "mean_iou"
    assert first.cells == [("0.5000", False), ("0.7500", True)]
    assert first.interval == f"0.4000 {DASH} 0.6000"
    assert first.marks == {"mean_box": 0.75}
    texts = [text.replace("\u00a0", " ") for text, _ in second.cells]
    assert texts == ["40.00 %", DASH]
    assert [best for _, best in second.cells] == [True, False]
    assert comparison(metrics) == (
        "The mean IoU of 0.5000 is lower than that of the baseline “mean box” (0.7500)."
    )


def test_every_registered_metric_and_chart_is_on_the_page(page):
    text = page.text()
    for metric in all_metrics():
        assert metric.title in text
        assert metric.description in text
    for chart in load_charts().values():
        assert chart.title in page.texts["h3"]
        assert chart.caption in text


def test_the_real_dataset_has_no_banner(html):
    assert 'class="banner"' not in html


def test_a_stand_in_is_announced_with_its_reason(report):
    changed = copy.deepcopy(report)
    changed.change_scored_split(source="synthetic")
    changed.card = make_card(source="synthetic", fallback_reason="host.example did not answer")
    html = changed.render()
    assert html.count('class="banner"') == 1
    assert "Synthetic stand-in, not the real dataset" in html
    assert "Reason: host.example did not answer" in html


def test_scores_of_the_real_dataset_are_not_announced_as_a_stand_in(report):
    changed = copy.deepcopy(report)
    changed.card = make_card(source="synthetic")
    html = changed.render()
    assert "Synthetic stand-in" not in html
    assert "Scores and dataset do not match" in html


def test_training_settings_are_listed_by_name(page):
    names = page.texts["dt"]
    values = dict(zip(names, page.texts["dd"], strict=True))
    assert values["Architecture"] == "glimpse"
    assert values["Learning rate"] == "0.001"
    assert values["Early stopping, monitor"] == "val_loss"
    assert values["Early stopping, enabled"] == "no"
    assert values["Glimpse, label filters"] == "32, 64"


def test_validation_on_the_test_split_is_announced(report):
    changed = copy.deepcopy(report)
    changed.change_scored_split(validated_on="test")
    html = changed.render()
    assert html.count('class="banner"') == 1
    assert "Training validated on the test split" in html


@pytest.mark.parametrize("names", [("no", "yes"), tuple(f"class {n}" for n in range(1000))])
def test_any_number_of_classes_and_color_images_of_any_shape_are_shown(names):
    report = sample_report(names=names, images=60, shape=(40, 70, 3), gallery=(5, 5, 5))
    text = Page(report.render()).text()
    assert "70 × 40 px, color" in text  # noqa: RUF001 - the sign "times"
    assert all(name in text for name in names)


def test_a_large_confusion_matrix_is_replaced_by_the_most_frequent_confusions():
    many, few = (
        sample_report(names=tuple(f"k{n}" for n in range(count)), images=60, gallery=(1, 0, 0))
        for count in (21, 20)
    )
    assert "confusion-matrix" not in many.render()
    assert 'id="confusions-title"' in many.render()
    assert "confusion-matrix" in few.render()


def test_missing_training_facts_intervals_and_baselines_are_left_out(report):
    bare = copy.deepcopy(report)
    bare.change_metrics(training={}, intervals={}, baselines={})
    html = bare.render()
    for words in ("Training settings", "The ticks on the bars", "Mean box"):
        assert words in report.render()
        assert words not in html


def test_a_page_without_images_is_rendered():
    assert "0 images" in Page(sample_report(gallery=(0, 0, 0)).render()).text()
