"use strict";

// The gallery's controls and its viewer. Text from the dataset is only ever set as text.
(() => {
  const byId = (id) => document.getElementById(id);
  const { items, layers } = JSON.parse(byId("data").textContent);
  const list = byId("tiles");
  const tiles = Array.from(list.children);
  const controls = byId("controls");
  const viewer = byId("viewer");
  const sliders = ["min-confidence", "min-iou", "max-iou"];

  const orders = {
    worst: (a, b) => a.iou - b.iou || a.row - b.row,
    confident: (a, b) => b.confidence - a.confidence || a.row - b.row,
    class: (a, b) => a.label - b.label || a.iou - b.iou || a.row - b.row,
    file: (a, b) => a.row - b.row,
  };

  let shown = []; // indices of the visible items, in the order of the page
  let current = 0; // the one in the viewer, an index into `shown`

  const number = (id) => Number(byId(id).value);

  function fits(item) {
    const label = byId("class").value;
    const reason = byId("reason").value;
    return (
      (label === "" || item.label === Number(label)) &&
      (reason === "" || item.reasons.includes(reason)) &&
      (item.mistake || !byId("mistakes").checked) &&
      item.confidence >= number("min-confidence") &&
      item.iou >= number("min-iou") &&
      item.iou <= number("max-iou")
    );
  }

  function arrange() {
    const order = orders[byId("sort").value];
    const all = items.map((_, index) => index).sort((a, b) => order(items[a], items[b]));
    list.append(...all.map((index) => tiles[index]));
    shown = all.filter((index) => fits(items[index]));
    const visible = new Set(shown);
    tiles.forEach((tile, index) => {
      tile.hidden = !visible.has(index);
    });
    byId("count").textContent = `Showing ${shown.length} of ${items.length} images`;
    byId("empty").hidden = shown.length > 0;
    showValues();
    showBoxes();
  }

  function showValues() {
    for (const id of sliders) {
      controls.querySelector(`output[for="${id}"]`).textContent = number(id).toFixed(2);
    }
  }

  function showBoxes() {
    for (const key of layers) {
      const on = byId(`show-${key}`).checked;
      document.body.classList.toggle(`hide-${key}`, !on);
      byId(`viewer-${key}`).setAttribute("aria-pressed", String(on));
    }
  }

  // The two ends of the IoU range never cross: the one that is moved takes the other along.
  function keepOrder(moved) {
    if (number("min-iou") <= number("max-iou")) return;
    const other = moved === "min-iou" ? "max-iou" : "min-iou";
    if (moved === "min-iou" || moved === "max-iou") byId(other).value = byId(moved).value;
  }

  function view(position) {
    current = (position + shown.length) % shown.length;
    const index = shown[current];
    const item = items[index];
    const frame = tiles[index].querySelector(".frame");
    byId("viewer-title").textContent = `Image ${current + 1} of ${shown.length}`;
    byId("viewer-frame").replaceChildren(...Array.from(frame.children, (it) => it.cloneNode(true)));
    byId("viewer-facts").replaceChildren(
      fact("File", item.file, "whole"),
      fact("True class", item.true),
      fact("Predicted class", item.mistake ? `${item.predicted} (wrong)` : item.predicted),
      fact("Confidence", item.confidence.toFixed(4)),
      fact("IoU", item.iou.toFixed(4)),
      ...item.boxes.map(([title, text]) => fact(title, text, "whole")),
      fact("Reason", item.reason_text, "whole"),
    );
    if (!viewer.open) viewer.showModal();
  }

  function fact(name, value, width = "half") {
    const pair = document.createElement("div");
    pair.className = width;
    const term = document.createElement("dt");
    const text = document.createElement("dd");
    term.textContent = name;
    text.textContent = value;
    pair.append(term, text);
    return pair;
  }

  const steps = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 };

  viewer.addEventListener("keydown", (event) => {
    if (!(event.key in steps)) return;
    event.preventDefault();
    view(current + steps[event.key]);
  });
  viewer.addEventListener("click", (event) => {
    if (event.target === viewer) viewer.close(); // the backdrop
  });
  viewer.addEventListener("close", () => tiles[shown[current]].querySelector("button").focus());
  byId("viewer-close").addEventListener("click", () => viewer.close());
  byId("viewer-previous").addEventListener("click", () => view(current - 1));
  byId("viewer-next").addEventListener("click", () => view(current + 1));
  for (const key of layers) {
    byId(`viewer-${key}`).addEventListener("click", () => byId(`show-${key}`).click());
  }

  tiles.forEach((tile, index) => {
    tile.querySelector("button").addEventListener("click", () => view(shown.indexOf(index)));
  });
  // Not every browser sends both for every kind of field.
  for (const kind of ["input", "change"]) {
    controls.addEventListener(kind, (event) => {
      keepOrder(event.target.id);
      arrange();
    });
  }
  controls.addEventListener("submit", (event) => event.preventDefault());
  // The fields have their first values back only after this event.
  controls.addEventListener("reset", () => setTimeout(arrange));

  controls.hidden = false;
  byId("without-script").hidden = true;
  arrange(); // a browser may have kept the fields' values over a reload
})();
