// A plot whose points can be chosen with mouse, finger and keys.

const style = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

const create = (kind, settings) => new (Bokeh.Models.get(kind))(settings);

const glyph = (kind, columns, settings) => create("GlyphRenderer", {
  data_source: create("ColumnDataSource", { data: columns }),
  glyph: create(kind, settings),
});

const AT = { x: { field: "x" }, y: { field: "y" } }; // where a glyph stands: in the columns of these names

// Of drawings that are wanted one after the other, draw one at a time, and the last one last.
function oneByOne(draw) {
  let running = null, wanted = false;
  const all = async () => {
    do {
      wanted = false;
      await draw();
    } while (wanted);
  };
  return () => {
    wanted = true;
    return (running ??= all().finally(() => { running = null; }));
  };
}

// A button in a figure's heading that saves what is drawn.
function savable(box, name, drawing) {
  const heading = box.closest("figure").querySelector("figcaption");
  heading.querySelector("button")?.remove();
  const button = make("button", { type: "button", class: "save", "aria-label": `Save as PNG: ${heading.textContent}` }, "PNG");
  button.addEventListener("click", async () => save(await drawing.picture(), `${name}.png`));
  heading.append(button);
}

function axes(x, y) {
  const quiet = style("--quiet"), line = style("--line");
  const axis = (label) => ({
    axis_label: label, axis_label_text_color: quiet, axis_label_text_font_style: "normal",
    axis_label_text_font_size: "12px", major_label_text_color: quiet, major_label_text_font_size: "12px",
    axis_line_color: line, major_tick_line_color: line, minor_tick_line_color: null,
  });
  const kind = ({ log }) => (log ? "LogAxis" : "LinearAxis");
  const ticks = (axis) => (axis.log ? { ticker: create("FixedTicker", { ticks: decades() }) } : {});
  const plain = create("BasicTickFormatter", { use_scientific: false });
  const below = create(kind(x), { ...axis(x.label), ...ticks(x), formatter: plain });
  const left = create(kind(y), { ...axis(y.label), ...ticks(y), formatter: plain });
  const grid = create("Grid", { dimension: 1, axis: left, grid_line_color: line, ...ticks(y) });
  return { below: [below], left: [left], center: [grid] };
}

const decades = () => [...Array(13).keys()].flatMap((power) => [1, 2, 5].map((step) => step * 10 ** (power - 5)));

// Draw a plot into a box; return what converts between data and pixels, and lets go of it again.
async function drawn(box, settings, log = {}) {
  const scale = (along) => create(along ? "LogScale" : "LinearScale");
  const plot = create("Plot", {
    x_scale: scale(log.x), y_scale: scale(log.y), toolbar_location: null, sizing_mode: "stretch_both",
    background_fill_color: style("--paper"), border_fill_color: style("--paper"), outline_line_color: null, ...settings,
  });
  const document_ = new (Bokeh.require("document").Document)();
  document_.add_root(plot);
  const views = await Bokeh.embed.add_document_standalone(document_, box);
  const view = views.get(plot);
  view.el.tabIndex = -1; // the box around it takes the keys
  return {
    plot,
    pixels: (point) => [view.frame.x_scale.compute(point[0]), view.frame.y_scale.compute(point[1])],
    picture: () => view.export("png").to_blob(),
    inside: ([x, y]) => view.frame.bbox.contains(x, y),
    clear: () => {
      document_.clear();
      Bokeh.documents.splice(Bokeh.documents.indexOf(document_), 1); // which would keep it for ever
      box.replaceChildren();
    },
  };
}

// Let points be chosen with mouse, finger and keys, and mark the chosen one with a ring.
function explored(box, drawing, points, choose, key) {
  const ring = make("div", { class: "ring", hidden: "" });
  box.append(ring);
  let marked = null;
  const nearest = (event) => {
    let best = null, least = event.event_name === "tap" ? 28 ** 2 : 14 ** 2;
    points.forEach((point, number) => {
      const [x, y] = drawing.pixels(point), far = (x - event.sx) ** 2 + (y - event.sy) ** 2;
      if (far < least) [best, least] = [number, far];
    });
    return best;
  };
  const hit = (event) => {
    const near = nearest(event);
    if (near !== null && near !== marked) choose(near);
  };
  const mark = (number) => {
    marked = number;
    const place = number === null ? [NaN, NaN] : drawing.pixels(points[number]);
    ring.hidden = number === null || !drawing.inside(place);
    if (!ring.hidden) [ring.style.left, ring.style.top] = place.map((pixel) => `${pixel}px`);
  };
  drawing.plot.on_event("mousemove", hit);
  drawing.plot.on_event("tap", hit);
  box.onkeydown = (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || !points.length) return;
    const next = event.key === "Escape" ? null : key(event.key, marked, points);
    if (next === undefined) return;
    event.preventDefault();
    choose(next);
  };
  const watch = new ResizeObserver(() => (ring.isConnected ? setTimeout(() => mark(marked), 150) : watch.disconnect()));
  watch.observe(box);
  return mark;
}
