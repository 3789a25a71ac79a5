// Maps of representations side by side, and the card of the chosen forget sample.

const TYPES = { uint8: Uint8Array, uint16: Uint16Array, uint32: Uint32Array };

function unpacked({ type, data: text }) {
  const bytes = Uint8Array.from(atob(text), (sign) => sign.charCodeAt(0));
  return new TYPES[type](bytes.buffer);
}

function points(panel, projection) {
  const flat = unpacked(panel[projection]);
  return { x: Array.from({ length: flat.length / 2 }, (_, at) => flat[2 * at] / 32767.5 - 1), y: Array.from({ length: flat.length / 2 }, (_, at) => flat[2 * at + 1] / 32767.5 - 1) };
}

const median = (values) => values.sort((one, other) => one - other)[Math.floor(values.length / 2)];

// The middle of a class's largest cluster: the median of those around the dot that has most others near. (The median of
// all may lie on another class's dots.)
function heart(x, y, own) {
  const near = (at) => own.filter((other) => (x[other] - x[at]) ** 2 + (y[other] - y[at]) ** 2 < 0.15 ** 2);
  const every = Math.ceil(own.length / 300); // of many dots, some stand for all
  const crowd = own.filter((_, number) => number % every === 0).map(near).reduce((best, one) => (one.length > best.length ? one : best));
  return [median(crowd.map((at) => x[at])), median(crowd.map((at) => y[at]))];
}

function names({ x, y }, predicted, dataset) {
  const labels = { x: [], y: [], text: [] };
  dataset.classes.forEach((name, number) => {
    const own = [...predicted.keys()].filter((at) => predicted[at] === number);
    if (!own.length) return;
    const [left, up] = heart(x, y, own);
    labels.x.push(left);
    labels.y.push(up);
    labels.text.push(name);
  });
  return labels;
}

// Text over a halo of its own: an outline alone would be drawn over the letters.
function haloed(labels, other = {}) {
  const place = { ...AT, text: { field: "text" }, text_align: "center", text_baseline: "middle" };
  const font = { ...place, text_font: "sans-serif", text_font_size: "14px", text_font_style: "bold", text_color: style("--ink"), ...other };
  return [{ text_outline_color: style("--paper"), text_outline_width: 4 }, {}].map((halo) => glyph("Text", labels, { ...font, ...halo }));
}

async function panel(box, one, map, dataset, projection) {
  const { x, y } = points(one, projection), predicted = unpacked(one.prediction);
  const forget = unpacked(map.forget), gone = new Set(forget);
  const colours = dataset.colours.map(visible);
  const columns = (numbers) => ({ x: numbers.map((at) => x[at]), y: numbers.map((at) => y[at]), colour: numbers.map((at) => colours[predicted[at]]) });
  const retain = [...x.keys()].filter((at) => !gone.has(at));
  const dots = { ...AT, fill_color: { field: "colour" } };
  const size = Math.min(4, Math.max(2, 4 * Math.sqrt(1500 / x.length)));
  const renderers = [
    glyph("Scatter", columns(retain), { ...dots, size, fill_alpha: 0.4, line_color: null }),
    glyph("Scatter", columns([...forget]), { ...dots, size: size + 3.5, line_color: style("--edge"), line_width: 0.8 }),
  ];
  if (dataset.classes.length <= 10) renderers.push(...haloed(names({ x, y }, predicted, dataset)));
  const pan = create("PanTool"), wheel = create("WheelZoomTool", { modifiers: { ctrl: true }, zoom_on_axis: false });
  const toolbar = create("Toolbar", { tools: [pan, wheel], active_scroll: wheel, active_drag: null });
  const range = () => create("Range1d", { start: -1.06, end: 1.06 });
  const drawing = await drawn(box, { renderers, toolbar, x_range: range(), y_range: range(), min_border: 0 });
  return { ...drawing, pan, toolbar, points: [...forget].map((at) => [x[at], y[at]]) };
}

// The nearest point in the direction of an arrow key.
function across(key, marked, points) {
  const way = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }[key];
  if (key === "Home" || (way && marked === null)) return 0;
  if (key === "End") return points.length - 1;
  if (!way) return undefined;
  let best = marked, least = Infinity;
  points.forEach(([x, y], number) => {
    const dx = x - points[marked][0], dy = y - points[marked][1];
    const along = dx * way[0] + dy * way[1], aside = Math.abs(dx * way[1]) + Math.abs(dy * way[0]);
    if (along > 1e-9 && aside <= 1.5 * along && along + 2 * aside < least) [best, least] = [number, along + 2 * aside];
  });
  return best;
}

function coloured(dataset, number) {
  const dot = make("span", { class: "swatch" });
  dot.style.background = visible(dataset.colours[number]);
  return [dot, dataset.classes[number]];
}

function picture(dataset, image, position, name = "the chosen image") {
  return cut(dataset.sprite, image, position, { role: "img", "aria-label": name, "data-position": position });
}

function card(map, dataset, known, number) {
  if (number === null) return $("map-card").replaceChildren(make("p", { class: "hint" }, "No image chosen yet."));
  const at = known.positions[known.forget[number]], truth = known.labels[at];
  const top = make("div", { class: "top" });
  const position = known.pictured.indexOf(at);
  if (known.image && position >= 0) top.append(picture(dataset, known.image, position));
  top.append(make("p", {}, "true class ", make("b", {}, ...coloured(dataset, truth)), make("br"), make("small", {}, `forget image ${known.index[at]} of ${dataset.label}`)));
  const list = make("dl");
  const reference = map.predictions.findIndex((method) => method.name === "retrain");
  map.predictions.forEach((method, which) => {
    const value = known.predictions[which][number], row = make("div", {}, make("dt", {}, method.label), make("dd", {}, ...coloured(dataset, value)));
    row.classList.toggle("same", reference >= 0 && which !== reference && value === known.predictions[reference][number]);
    row.classList.toggle("wrong", value !== truth);
    list.append(row);
  });
  const key = make("p", { class: "key" }, "What each model predicts. =: the same as Retrain. Bold: a wrong class.");
  $("map-card").replaceChildren(top, ...(map.predictions.length ? [list, key] : []));
}

async function known(map, dataset) {
  const image = await decoded(dataset.sprite);
  const ofMap = (part) => unpacked(map[part]), ofDataset = (part) => unpacked(dataset[part]);
  return {
    image, positions: ofMap("positions"), forget: ofMap("forget"), predictions: map.predictions.map((method) => unpacked(method.prediction)),
    labels: ofDataset("labels"), index: ofDataset("index"), pictured: ofDataset("pictured"),
  };
}

// All panels show the same window of their maps, which are turned alike.
function linked(drawings, remark) {
  let busy = false;
  const show = (x, y) => {
    busy = true;
    for (const { plot, toolbar, pan } of drawings) {
      plot.x_range.setv({ start: x[0], end: x[1] });
      plot.y_range.setv({ start: y[0], end: y[1] });
      const drag = x[1] - x[0] < 2.1 ? pan : null; // where all is shown, a finger's drag scrolls the page
      if (toolbar.active_drag !== drag) {
        pan.active = Boolean(drag);
        toolbar.active_drag = drag;
      }
    }
    busy = false;
    requestAnimationFrame(() => requestAnimationFrame(remark));
  };
  for (const { plot } of drawings)
    for (const range of [plot.x_range, plot.y_range])
      range.change.connect(() => {
        if (!busy) show([plot.x_range.start, plot.x_range.end], [plot.y_range.start, plot.y_range.end]);
      });
  const zoom = (factor) => {
    const { x_range, y_range } = drawings[0].plot;
    const around = ({ start, end }) => [-1, 1].map((side) => (start + end) / 2 + (side * factor * (end - start)) / 2);
    show(around(x_range), around(y_range));
  };
  return { zoom, reset: () => show([-1.06, 1.06], [-1.06, 1.06]) };
}

function maps() {
  options($("map-cell"), data.maps, richest(data.maps, "panels"));
  let old = [], view = null, latest = 0;
  const redraw = async () => {
    const mine = ++latest; // one that began earlier may be slower, and must not draw over this one
    old.forEach((drawing) => drawing.clear());
    const map = named(data.maps, $("map-cell").value), dataset = data.datasets[map.dataset];
    const facts = await known(map, dataset);
    if (mine !== latest) return;
    const items = dataset.classes.map((_, number) => make("li", {}, ...coloured(dataset, number)));
    $("map-classes").replaceChildren(...(items.length <= 20 ? items : []));
    const boxes = map.panels.map((one) => make("div", { class: "map", tabindex: 0, role: "application", "aria-label": `Map of ${one.label}, ${map.label}: ${facts.forget.length} forget images. Arrow keys choose one, plus and minus zoom.` }));
    $("map-panels").replaceChildren(...map.panels.map((one, number) => make("figure", {}, make("figcaption", {}, one.label), boxes[number])));
    const drawings = await Promise.all(map.panels.map((one, number) => panel(boxes[number], one, map, dataset, $("map-projection").value)));
    if (mine !== latest) return drawings.forEach((drawing) => drawing.clear());
    old = drawings;
    map.panels.forEach((one, number) => savable(boxes[number], `map-${one.name}`, old[number]));
    let chosen = null;
    const choose = (number) => {
      chosen = number;
      marks.forEach((mark) => mark(number));
      card(map, dataset, facts, number);
    };
    const keyed = (key, marked, points) => {
      if ("+=".includes(key)) view.zoom(0.6);
      else if ("-−".includes(key)) view.zoom(1 / 0.6);
      else if (key === "0") view.reset();
      else return across(key, marked, points);
      return marked;
    };
    const marks = old.map((drawing, number) => explored(boxes[number], drawing, drawing.points, choose, keyed));
    view = linked(old, () => marks.forEach((mark) => mark(chosen)));
    choose(null);
  };
  for (const id of ["map-cell", "map-projection"]) $(id).addEventListener("change", redraw);
  $("zoom-in").addEventListener("click", () => view.zoom(0.6));
  $("zoom-out").addEventListener("click", () => view.zoom(1 / 0.6));
  $("zoom-reset").addEventListener("click", () => view.reset());
  return redraw;
}
