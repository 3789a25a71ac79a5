// Any metric or cost against any other, read from the table of results.

const lacks = (value) => value === undefined || value === "nan" || value === "";

// The rows of each cell: a method's values by column, with the ends of their intervals.
function readings(table) {
  const cells = new Map();
  for (const row of table.tBodies[0].rows) {
    const { dataset, arch, scenario, method, colour } = row.dataset, name = [dataset, arch, scenario].join("/");
    if (!cells.has(name)) cells.set(name, { name, label: [1, 2, 3].map((at) => row.cells[at].textContent.trim()).join(", "), rows: [] });
    const values = {};
    heads(table).forEach(({ dataset: { key } }, at) => {
      const { value, low, high } = row.cells[at].dataset;
      if (!lacks(value)) values[key] = { value: Number(value), ends: lacks(low) ? null : [Number(low), Number(high)] };
    });
    cells.get(name).rows.push({ method, label: row.cells[0].querySelector("a").textContent + (row.cells[0].querySelector("abbr") ? "†" : ""), colour, values });
  }
  return [...cells.values()];
}

// Lines from end to end of the intervals of the column across which they lie.
function whiskers(rows, across, other, horizontal) {
  const known = rows.filter((row) => row.values[across].ends);
  const ends = [0, 1].map((side) => known.map((row) => row.values[across].ends[side])), level = known.map((row) => row.values[other].value);
  const [x0, x1, y0, y1] = horizontal ? [...ends, level, level] : [level, level, ...ends];
  const place = Object.fromEntries(["x0", "x1", "y0", "y1"].map((field) => [field, { field }]));
  return glyph("Segment", { x0, x1, y0, y1, colour: known.map((row) => visible(row.colour)) }, { ...place, line_color: { field: "colour" }, line_width: 1.5, line_alpha: 0.6 });
}

// The names that have room beside their dots, on the side where the chart is; the plain methods' first. The others are
// read when they are pointed at.
function roomy(rows, places, wide) {
  const order = [...rows.keys()].sort((one, other) => rows[one].method.includes("@") - rows[other].method.includes("@"));
  const taken = [], boxes = rows.map(({ label }, at) => {
    const left = places[at][0] > 0.7, width = (7 * label.length + 16) / wide;
    return { at, left, x: places[at][0] - (left ? width : 0), width, y: places[at][1] };
  });
  for (const box of order.map((at) => boxes[at]))
    if (!taken.some((other) => Math.abs(box.y - other.y) < 0.05 && box.x < other.x + other.width && other.x < box.x + box.width)) taken.push(box);
  return taken;
}

function labelled(rows, columns, { x_range, y_range }, x, y, wide) {
  const share = ({ start, end }, log, value) => (log ? Math.log(value / start) / Math.log(end / start) : (value - start) / (end - start));
  const places = rows.map((_, at) => [share(x_range, x.log, columns.x[at]), share(y_range, y.log, columns.y[at])]);
  const boxes = roomy(rows, places, wide);
  return [false, true].flatMap((left) => {
    const mine = boxes.filter((box) => box.left === left).map((box) => box.at);
    const texts = { x: mine.map((at) => columns.x[at]), y: mine.map((at) => columns.y[at]), text: mine.map((at) => rows[at].label), colour: mine.map((at) => columns.colour[at]) };
    return haloed(texts, { text_align: left ? "right" : "left", x_offset: left ? -8 : 8, text_font_size: "12px", text_color: { field: "colour" } });
  });
}

async function scatter(box, readout, rows, x, y) {
  const points = rows.map((row) => [row.values[x.key].value, row.values[y.key].value]);
  const reach = (key) => rows.flatMap((row) => [row.values[key].value, ...(row.values[key].ends ?? [])]);
  const columns = { x: points.map((point) => point[0]), y: points.map((point) => point[1]), colour: rows.map((row) => visible(row.colour)) };
  const [x_range, y_range] = [x, y].map(({ key, log }) => create("Range1d", span(reach(key), log)));
  const dots = { ...AT, size: 10, fill_color: { field: "colour" }, line_color: style("--paper") };
  const drawing = await drawn(box, {
    renderers: [
      whiskers(rows, x.key, y.key, true), whiskers(rows, y.key, x.key, false), glyph("Scatter", columns, dots),
      ...labelled(rows, columns, { x_range, y_range }, x, y, box.clientWidth - 70),
    ],
    ...axes(x, y), x_range, y_range, min_border_right: 12, min_border_top: 8,
  }, { x: x.log, y: y.log });
  const said = ({ label, key }, row) => {
    const { value, ends } = row.values[key], number = (one) => (Math.abs(one) < 1 ? one.toPrecision(2) : fixed(one));
    return `${label} ${number(value)}${ends ? ` [${ends.map(number).join(", ")}]` : ""}`;
  };
  const mark = explored(box, drawing, points, (number) => {
    mark(number);
    readout.replaceChildren(...(number === null ? [] : [make("b", {}, rows[number].label), `: ${said(x, rows[number])}; ${said(y, rows[number])}`]));
  }, inTurn);
  readout.replaceChildren(...(rows.length ? [] : ["No method has both."]));
  box.setAttribute("aria-label", `${y.label} against ${x.label}: ${rows.length} methods. Arrow keys move between them.`);
  return drawing;
}

// From left to right.
function inTurn(key, marked, points) {
  if (key === "Home" || key === "End") return key === "Home" ? 0 : points.length - 1;
  const step = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1 }[key];
  return step && (marked === null ? 0 : Math.min(points.length - 1, Math.max(0, marked + step)));
}

function tradeoff() {
  const table = $("table"), cells = readings(table), costs = ["pflops", "pflops_executed", "seconds"];
  const columns = heads(table).filter((head) => head.dataset.type === "number" && head.dataset.key !== "trials");
  const unit = (key) => (costs.includes(key) ? "" : key.endsWith("gap") || key === "paper" ? " (points)" : " (%)");
  const items = columns.map(({ dataset: { key }, textContent }) => ({ name: key, key, label: textContent.trim() + unit(key), log: costs.includes(key) }));
  options($("trade-cell"), cells, richest(cells, "rows"));
  options($("trade-x"), items, "pflops");
  options($("trade-y"), items, "avg_gap");
  let old = null;
  const redraw = oneByOne(async () => {
    old?.clear();
    const [x, y] = ["trade-x", "trade-y"].map((id) => named(items, $(id).value));
    const fits = ({ values }) => [x, y].every(({ key, log }) => values[key] && (!log || values[key].value > 0));
    old = await scatter($("trade-chart"), $("trade-readout"), named(cells, $("trade-cell").value).rows.filter(fits).sort((one, other) => one.values[x.key].value - other.values[x.key].value), x, y);
    savable($("trade-chart"), "trade-off", old);
  });
  for (const id of ["trade-cell", "trade-x", "trade-y"]) $(id).addEventListener("change", redraw);
  for (const [name, value] of Object.entries({ tabindex: 0, role: "application" })) $("trade-chart").setAttribute(name, value);
  return redraw;
}
