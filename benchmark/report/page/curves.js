// The average gap against computation, and the history by epoch.

const named = (items, name) => items.find((item) => item.name === name);
const richest = (cells, parts) => cells.reduce((best, cell) => (cell[parts].length > best[parts].length ? cell : best)).name;

function swatch(method) {
  const look = { stroke: visible(method.colour), "stroke-width": 3, "stroke-dasharray": method.dash.join(" ") };
  return make("svg", { width: 26, height: 8, "aria-hidden": "true" }, make("line", { x1: 0, y1: 4, x2: 26, y2: 4, ...look }));
}

const span = (values, log) => {
  const known = values.filter((value) => value !== null && (!log || value > 0));
  let low = Math.min(...known), high = Math.max(...known);
  if (!known.length) [low, high] = [log ? 0.1 : 0, 1];
  if (log) return { start: low / 1.25, end: Math.max(high, 1.05 * low) * 1.25 };
  const room = 0.06 * (high - low) || 0.5;
  return { start: low - room, end: high + room };
};

// The lines of Retrain: a level one, or where each stage has a Retrain of its own a step a stage. Methods that take the
// same epochs to a stage share one.
function references(methods, levels) {
  const line = { line_color: style("--ink"), line_dash: [2, 3], line_width: 1.5 };
  if (levels.length < 2) return levels.map((location) => create("Span", { location, dimension: "width", ...line }));
  const steps = methods.map((method) => ({ x: [0, ...method.epoch], y: [method.stage[0], ...method.stage].map((stage) => levels[stage] ?? NaN) }));
  const apart = new Map(steps.map((step) => [JSON.stringify(step), step]));
  return [...apart.values()].map((step) => glyph("Step", step, { ...AT, mode: "before", ...line }));
}

// A chart of the shown methods: x and y name their lists, levels are Retrain's, one or by stage, tell describes a point.
async function chart(box, readout, cell, x, y, levels, label, tell) {
  const log = y === "avg_gap";
  const methods = shownOf(cell.methods, $("curve-chosen"));
  const kept = methods.map((method) => method.epoch.map((_, at) => at).filter((at) => method[x][at] !== null && method[y][at] !== null && (!log || method[y][at] > 0)));
  const points = methods.flatMap((method, number) => kept[number].map((at) => [method[x][at], method[y][at], method, at]));
  const heights = levels.filter((level) => level !== null);
  const renderers = heights.length ? references(methods, levels) : [];
  methods.forEach((method, number) => {
    const columns = { x: kept[number].map((at) => method[x][at]), y: kept[number].map((at) => method[y][at]) };
    const colour = visible(method.colour);
    renderers.push(glyph("Line", columns, { ...AT, line_color: colour, line_width: 2, line_dash: method.dash }));
    renderers.push(glyph("Scatter", columns, { ...AT, size: 4, fill_color: colour, line_color: null }));
    const last = { x: columns.x.slice(-1), y: columns.y.slice(-1) };
    renderers.push(glyph("Scatter", last, { ...AT, size: 9, fill_color: colour, line_color: style("--paper"), line_width: 1.5 }));
  });
  const ys = points.map((point) => point[1]).concat(heights);
  const drawing = await drawn(box, {
    renderers, ...axes({ label: label.x }, { label: label.y, log }), min_border_right: 12, min_border_top: 8,
    x_range: create("Range1d", span([0, ...points.map((point) => point[0])])),
    y_range: create("Range1d", span(ys, log)),
  }, { y: log });
  const choose = (number) => {
    mark(number);
    readout.replaceChildren(...(number === null ? [] : [swatch(points[number][2]), " ", make("b", {}, points[number][2].label), tell(points[number][2], points[number][3])]));
  };
  const mark = explored(box, drawing, points, choose, alongLines);
  readout.replaceChildren();
  if (!points.length) readout.append("Nothing to show: no method is chosen, or Retrain is missing.");
  box.setAttribute("aria-label", `${label.y} against ${label.x}: ${methods.length} methods. Arrow keys move along the lines and between them.`);
  return drawing;
}

function alongLines(key, marked, points) {
  const step = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -1, ArrowDown: 1, Home: 0, End: 0 }[key];
  if (step === undefined) return undefined;
  if (marked === null || key === "Home") return 0;
  if (key === "End") return points.length - 1;
  const [, , method, at] = points[marked];
  if (key === "ArrowLeft" || key === "ArrowRight") {
    const next = points[marked + step];
    return next && next[2] === method ? marked + step : marked;
  }
  const methods = [...new Set(points.map((point) => point[2]))];
  const other = methods[(methods.indexOf(method) + step + methods.length) % methods.length];
  const own = points.map((point, number) => [point, number]).filter(([point]) => point[2] === other);
  own.sort(([one], [two]) => Math.abs(one[3] - at) - Math.abs(two[3] - at));
  return own[0][1];
}

function curves() {
  const { cells } = data.curves;
  options($("curve-cell"), cells, richest(cells, "methods"));
  let old = [];
  const redraw = oneByOne(async () => {
    old.forEach((drawing) => drawing.clear());
    const cell = named(cells, $("curve-cell").value), cost = $("curve-cost").value, metric = $("curve-metric").value;
    const [counting, name] = ["curve-cost", "curve-metric"].map((id) => $(id).selectedOptions[0].text);
    const points = metric === "loss" ? "" : metric === "avg_gap" ? " (points)" : " (%)";
    const retrain = cell.retrain[metric] ?? []; // by stage
    const number = (value) => fixed(value, metric === "loss" ? 4 : 2);
    old = await Promise.all([
      chart($("gap-chart"), $("gap-readout"), cell, cost, "avg_gap", [cell.floor], { x: `${cell.unit} ${counting}`, y: "Average gap (points)" }, (method, at) =>
        `: average gap ${fixed(method.avg_gap[at])} points after ${method[cost][at].toPrecision(3)} ${cell.unit}, epoch ${method.epoch[at]}`),
      chart($("history-chart"), $("history-readout"), cell, "epoch", metric, metric === "avg_gap" ? [cell.floor] : retrain,
        { x: "Epoch", y: name[0].toUpperCase() + name.slice(1) + points }, (method, at) =>
          `: ${name} ${number(method[metric][at])}${points && points[2] === "%" ? " %" : points && " points"} after epoch ${method.epoch[at]}` +
          (retrain[method.stage[at]] == null ? "" : `; Retrain ${number(retrain[method.stage[at]])} %`)),
    ]);
    savable($("gap-chart"), "average-gap", old[0]);
    savable($("history-chart"), "history", old[1]);
  });
  const all = () => { chips($("curve-methods"), $("curve-chosen"), named(cells, $("curve-cell").value).methods, swatch); return redraw(); };
  for (const id of ["curve-cell", "curve-chosen"]) $(id).addEventListener("change", all);
  for (const id of ["curve-cost", "curve-metric"]) $(id).addEventListener("change", redraw);
  for (const id of ["gap-chart", "history-chart"]) for (const [name, value] of Object.entries({ tabindex: 0, role: "application" })) $(id).setAttribute(name, value);
  return all;
}
