// Two methods beside Retrain: what each predicts for each class, and the images on which they part.

const PAGE = 50; // rows of the list that are added at a time

// The per cents of each true class, row by row; null where no sample has that class.
function percents(counts, classes) {
  return Array.from({ length: classes }, (_, row) => {
    const own = [...counts.subarray(row * classes, (row + 1) * classes)], all = own.reduce((sum, count) => sum + count, 0);
    return all ? own.map((count) => (100 * count) / all) : null;
  });
}

function matrix(label, classes, rows, reference) {
  const head = make("tr", {}, make("th", { scope: "col" }, make("small", {}, "true ↓ predicted →")), ...classes.map((name) => make("th", { scope: "col", class: "upright" }, make("span", {}, name))));
  const cell = (value, row, column) => {
    const shown = reference ? value - reference[row][column] : value, text = fixed(shown, 0);
    const td = make("td", { class: `number${row === column ? " same" : ""}` }, Number(text) ? text.replace("-", "−") : "");
    td.style.background = `color-mix(in srgb, var(${shown < 0 ? "--shade" : "--accent"}) ${Math.min(45, (reference ? 2 : 0.45) * Math.abs(shown))}%, var(--paper))`;
    return td;
  };
  const line = (values, row) => values && (!reference || reference[row]) && make("tr", {}, make("th", { scope: "row" }, classes[row]), ...values.map((value, column) => cell(value, row, column)));
  const table = make("table", { class: "matrix" }, make("caption", {}, label), make("thead", {}, head), make("tbody", {}, ...rows.map(line).filter(Boolean)));
  return make("div", { class: "scroll", role: "region", tabindex: 0, "aria-label": label }, table);
}

function matrices(cell, methods) {
  const samples = $("compare-samples").value, minus = $("compare-show").value === "minus";
  const parts = methods.map((method) => percents(unpacked(method.counts[samples]), cell.classes.length));
  const reference = parts[methods.findIndex(({ name }) => name === "retrain")];
  const boxes = methods.map((method, at) => {
    const difference = minus && reference && method.name !== "retrain";
    return matrix(`${method.label}${difference ? " minus Retrain, points" : ", %"}`, cell.classes, parts[at], difference && reference);
  });
  $("compare-matrices").replaceChildren(...boxes);
}

const PARTINGS = {
  "": () => true,
  apart: (first, second) => first !== second,
  first: (first, _, retrain) => first !== retrain,
  second: (_, second, retrain) => second !== retrain,
  both: (first, second, retrain) => first !== retrain && second !== retrain,
};

// The forget images of a mapped cell that the filters leave, by their position among its forget samples.
function listed(facts, predictions) {
  const parts = PARTINGS[$("compare-part").value], truth = $("compare-class").value;
  return [...facts.forget.keys()].filter((at) => (truth === "" || facts.labels[facts.positions[facts.forget[at]]] === Number(truth)) && parts(...predictions.map((one) => one?.[at])));
}

function line(dataset, facts, predictions, at) {
  const position = facts.positions[facts.forget[at]], truth = facts.labels[position], pictured = facts.pictured.indexOf(position);
  const image = facts.image && pictured >= 0 ? [make("td", {}, picture(dataset, facts.image, pictured, `forget image ${facts.index[position]}`))] : [];
  const said = (value) => make("td", { class: value === truth ? "" : "wrong" }, ...coloured(dataset, value));
  return make("tr", {}, ...image, make("th", { scope: "row" }, String(facts.index[position])), ...[truth, ...predictions.map((one) => one[at])].map(said));
}

async function list(cell, methods) {
  const map = named(data.maps, cell.name), dataset = map && data.datasets[map.dataset];
  const predictions = map && methods.map(({ name }) => named(map.predictions, name)).map((one) => one && unpacked(one.prediction));
  const facts = predictions?.every(Boolean) && (await known(map, dataset));
  $("compare-list").replaceChildren();
  $("compare-more").hidden = true;
  if (!facts) {
    $("compare-count").textContent = "No list: this cell has no map, or the files of its runs were not there when the page was made.";
    return;
  }
  const rows = listed(facts, predictions);
  const heading = [...(facts.image ? ["Image"] : []), "Number", "True class", ...methods.map(({ label }) => label)].map((text) => make("th", { scope: "col" }, text));
  const body = make("tbody"), table = make("table", {}, make("thead", {}, make("tr", {}, ...heading)), body);
  const grow = () => {
    body.append(...rows.slice(body.rows.length, body.rows.length + PAGE).map((at) => line(dataset, facts, predictions, at)));
    $("compare-count").textContent = `${rows.length} of the map’s ${facts.forget.length} forget images (first trial), ${body.rows.length} listed.`;
    $("compare-more").hidden = body.rows.length === rows.length;
  };
  grow();
  $("compare-more").onclick = grow;
  $("compare-list").append(make("div", { class: "scroll", role: "region", tabindex: 0, "aria-label": "Forget images" }, table));
}

function compare() {
  const cells = data.compared, cellOf = () => named(cells, $("compare-cell").value);
  const methodsOf = (cell) => [$("compare-first").value, $("compare-second").value, "retrain"].map((name) => named(cell.methods, name)).filter(Boolean);
  const fill = () => {
    const cell = cellOf(), own = cell.methods.filter(({ name }) => name !== "retrain"), names = own.map(({ name }) => name);
    const usual = ["ft", "coun"].map((name, at) => (names.includes(name) ? name : names[Math.min(at, names.length - 1)]));
    ["compare-first", "compare-second"].forEach((id, at) => options($(id), own, usual[at]));
    options($("compare-class"), [{ name: "", label: "any" }, ...cell.classes.map((label, number) => ({ name: String(number), label }))], "");
  };
  options($("compare-cell"), cells, richest(cells, "methods"));
  fill();
  const redraw = oneByOne(async () => {
    const cell = cellOf(), methods = methodsOf(cell);
    matrices(cell, methods);
    await list(cell, methods);
  });
  $("compare-cell").addEventListener("change", fill);
  for (const select of $("compare").querySelectorAll("select")) select.addEventListener("change", redraw);
  return redraw;
}
