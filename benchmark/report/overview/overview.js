// The ranking: scores by weights, how far ranks move, and how far a single trial moves them.

const keys = data.criteria.map(({ key }) => key);
const label = (key) => data.criteria.find((one) => one.key === key).label;
const called = ({ study, name }) => `${study}/${name}`; // in the address: it outlives a change of the order
const cell = () => data.cells.find((one) => called(one) === $("results").value);
const weights = () => Object.fromEntries(keys.map((key) => [key, Number($(`weight-${key}`).value)]));
const number = (value, digits = 2) => (value === null || Number.isNaN(value) ? "–" : fixed(value, digits).replace("-", "−"));

// A method's gaps over its trials, perhaps without the one of a number, with its attack and its cost.
function readings(method, without = null) {
  const pairs = method.metrics.filter((_, at) => method.trials[at] !== without);
  const mean = (side, metric) => pairs.reduce((sum, pair) => sum + pair[side][metric], 0) / pairs.length;
  const gaps = [0, 1, 2, 3].map((metric) => Math.abs(mean(0, metric) - mean(1, metric)));
  return Object.fromEntries(keys.map((key, at) => [key, method.diverged ? NaN : at < 4 ? gaps[at] : method[key]]));
}

// The weighted mean; a method without a number that is weighed has no score.
function score(values, by) {
  const used = keys.filter((key) => by[key] > 0), total = used.reduce((sum, key) => sum + by[key], 0);
  return used.length ? used.reduce((sum, key) => sum + (values[key] ?? NaN) * by[key], 0) / total : NaN;
}

// Each method's rank, from 1; none where there is no score.
function ranksOf(methods, scoreOf) {
  const scores = methods.map(scoreOf);
  return scores.map((own) => (Number.isNaN(own) ? null : 1 + scores.filter((other) => other < own - 1e-9).length));
}

const equal = Object.fromEntries(data.criteria.map(({ key, weight }) => [key, weight]));
const swatch = ({ colour }) => make("span", { class: "swatch", style: `background: ${visible(colour)}` });
const shown = () => shownOf(cell().methods, $("chosen"));
const boxes = () => chips($("methods"), $("chosen"), cell().methods, swatch);

function ranked() {
  const methods = shown(), by = weights();
  const now = ranksOf(methods, (method) => score(readings(method), by));
  const usual = ranksOf(methods, (method) => score(readings(method), equal));
  const all = [...new Set(methods.flatMap((method) => method.trials))];
  const left = methods.every(({ trials }) => trials.length > 1) ? all.map((trial) => ranksOf(methods, (method) => score(readings(method, trial), by))) : [];
  return methods
    .map((method, at) => ({ method, values: readings(method), score: score(readings(method), by), rank: now[at], usual: usual[at], among: left.map((one) => one[at]) }))
    .sort((one, other) => (one.rank ?? 99) - (other.rank ?? 99));
}

function moved({ rank, usual }) {
  if (rank === null || usual === null || rank === usual) return make("td", {}, rank === null ? "–" : "=");
  const up = rank < usual;
  return make("td", { class: up ? "up" : "down" }, `${up ? "▲" : "▼"} ${Math.abs(rank - usual)}`);
}

function table(rows) {
  const heads = ["Rank", "Method", "Score", ...keys.map(label), "Without one trial", "Against average gap"];
  $("ranking").tHead.rows[0].replaceChildren(...heads.map((text, at) => make("th", { scope: "col", class: at === 1 ? "text" : "" }, text)));
  const body = $("ranking").tBodies[0], before = new Map([...body.rows].map((row) => [row.dataset.method, row.getBoundingClientRect().top]));
  body.replaceChildren(...rows.map((row) => {
    const { method, values, among } = row, ends = among.filter((one) => one !== null);
    const range = ends.length ? (Math.min(...ends) === Math.max(...ends) ? String(ends[0]) : `${Math.min(...ends)} to ${Math.max(...ends)}`) : "–";
    return make("tr", { "data-method": method.name }, make("td", {}, String(row.rank ?? "–")),
      make("th", { scope: "row", class: "text" }, swatch(method), method.label + (method.collapsed ? "†" : "") + (method.diverged ? " (diverged)" : "")), make("td", {}, number(row.score)),
      ...keys.map((key) => make("td", {}, number(values[key], key === "cost" ? 0 : 2))), make("td", {}, range), moved(row));
  }));
  for (const row of body.rows) { // from where it was to where it is
    const old = before.get(row.dataset.method);
    if (old === undefined) continue;
    row.style.transition = "none";
    row.style.transform = `translateY(${old - row.getBoundingClientRect().top}px)`;
    requestAnimationFrame(() => { row.style.transition = ""; row.style.transform = ""; });
  }
  const counts = rows.map(({ method }) => method.trials.length), least = Math.min(...counts), trials = Math.max(...counts);
  const means = rows.length ? `: means over ${least < trials ? `${least} to ` : ""}${trials} trial${trials > 1 ? "s" : ""}` : "";
  const collapsed = rows.some(({ method }) => method.collapsed) ? " † collapsed in at least one trial." : "";
  $("ranking-caption").textContent = `${cell().label}, study ${cell().study}${means}. "Without one trial": the ranks that a method has when any one trial is left out of the gaps.${collapsed}`;
}

// A line a method through its ranks by your weights and by each criterion alone.
function bump(rows) {
  const by = [["your weights", weights()], ...keys.map((key) => [label(key), { [key]: 1 }])];
  const methods = rows.map(({ method }) => method);
  const ranks = by.map(([, one]) => ranksOf(methods, (method) => score(readings(method), one)));
  const room = Math.max(150, ...methods.map((method) => 20 + 7 * method.label.length));
  const x = (at) => room + at * 115, y = (rank) => 20 + rank * 24, height = y(methods.length) + 20;
  const lines = methods.map((method, at) => {
    const points = ranks.map((one, column) => [x(column), one[at] === null ? null : y(one[at])]).filter(([, top]) => top !== null);
    const path = points.map(([left, top], step) => `${step ? "L" : "M"}${left} ${top}`).join(" ");
    return make("g", {}, make("title", {}, method.label), make("path", { d: path, fill: "none", stroke: visible(method.colour), "stroke-width": 2, "stroke-dasharray": method.dash.join(" ") }),
      ...points.map(([cx, cy]) => make("circle", { cx, cy, r: 4, fill: visible(method.colour) })),
      ...(points.length ? [make("text", { x: x(0) - 10, y: points[0][1] + 4, "text-anchor": "end" }, method.label)] : []));
  });
  const heads = by.map(([text], at) => make("text", { x: x(at), y: 14, "text-anchor": "middle" }, text));
  const said = `Ranks by your weights: ${rows.map(({ method }) => method.label).join(", ")}.`;
  $("bump").replaceChildren(make("svg", { viewBox: `0 0 ${x(by.length - 1) + 70} ${height}`, role: "img", "aria-label": said }, ...heads, ...lines));
}

function rank() {
  for (const key of keys) $(`shown-${key}`).textContent = $(`weight-${key}`).value;
  const rows = ranked();
  table(rows);
  bump(rows);
}
