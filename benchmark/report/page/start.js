async function start() {
  Bokeh.set_log_level("warn");
  sortable($("table"), $("sort"));
  filterable($("filters"), $("table"));
  $("save-table").addEventListener("click", () => save(new Blob([csv($("table"))], { type: "text/csv" }), "results.csv"));
  addEventListener("hashchange", reveal);
  reveal();
  const parts = [tradeoff(), data.curves.cells.length && curves(), data.maps.length && maps(), data.compared.length && compare()].filter(Boolean);
  addressed();
  for (const draw of parts) await draw();
  dark.addEventListener("change", () => parts.forEach((draw) => draw()));
  document.documentElement.dataset.ready = "yes";
}

start().catch((error) => console.error(error));
