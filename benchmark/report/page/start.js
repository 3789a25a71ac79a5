async function start() {
  Bokeh.set_log_level("warn");
  sortable($("table"));
  filterable($("filters"), $("table"));
  addEventListener("hashchange", reveal);
  reveal();
  const parts = [data.curves.cells.length && curves(), data.maps.length && maps()].filter(Boolean);
  for (const draw of parts) await draw();
  dark.addEventListener("change", () => parts.forEach((draw) => draw()));
  document.documentElement.dataset.ready = "yes";
}

start().catch((error) => console.error(error));
