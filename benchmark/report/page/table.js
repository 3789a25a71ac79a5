// The table: sorted by its headings, filtered by the form above it, saved as CSV.

const heads = (table) => [...table.tHead.rows[0].cells];

// The hidden control says by which column, "-" before it for descending, or is empty: as the study lists the rows.
function sortable(table, control) {
  const original = [...table.tBodies[0].rows];
  heads(table).forEach((head) => head.querySelector("button").addEventListener("click", () => {
    const { key } = head.dataset;
    control.value = { [key]: `-${key}`, [`-${key}`]: "" }[control.value] ?? key;
    change(control);
  }));
  control.addEventListener("change", () => {
    const descending = control.value.startsWith("-");
    const column = heads(table).findIndex((head) => head.dataset.key === control.value.replace("-", ""));
    heads(table).forEach((head) => head.removeAttribute("aria-sort"));
    if (column >= 0) heads(table)[column].setAttribute("aria-sort", descending ? "descending" : "ascending");
    table.classList.toggle("sorted", column >= 0);
    table.tBodies[0].append(...(column < 0 ? original : [...original].sort(by(column, heads(table)[column].dataset.type, descending ? -1 : 1))));
  });
}

function by(column, type, sign) {
  const number = (row) => Number(row.cells[column].dataset.value), text = (row) => row.cells[column].textContent.trim().toLowerCase();
  if (type !== "number") return (one, other) => sign * text(one).localeCompare(text(other), "en", { numeric: true });
  return (one, other) => {
    const a = number(one), b = number(other);
    return Number.isNaN(a) || Number.isNaN(b) ? Number.isNaN(a) - Number.isNaN(b) : sign * (a - b); // no number: last, always
  };
}

function filterable(form, table) {
  const selects = [...form.querySelectorAll("select")];
  const rows = [...table.tBodies[0].rows];
  const apply = () => {
    for (const row of rows)
      row.hidden = selects.some((select) => select.value && row.dataset[select.name] !== select.value);
    const shown = rows.filter((row) => !row.hidden).length;
    $("count").textContent = shown === rows.length ? `${shown} rows` : `${shown} of ${rows.length} rows`;
  };
  form.addEventListener("change", apply);
  form.addEventListener("reset", () => setTimeout(() => change(form)));
  form.addEventListener("submit", (event) => event.preventDefault());
  apply();
}

// The rows that are shown, in their order, with numbers in full.
function csv(table) {
  const quoted = (text) => (/[",\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
  const cells = (row) => [row.dataset.method, ...[...row.cells].slice(1).map((cell) => cell.dataset.value)];
  const rows = [...table.tBodies[0].rows].filter((row) => !row.hidden).map((row) => cells(row).map((value) => (value === "nan" ? "" : value)));
  return [heads(table).map(({ dataset: { key, name } }) => name ?? key), ...rows].map((row) => row.map(quoted).join(",") + "\n").join("");
}

// Let a browser save what it would else have to be asked for.
function save(blob, name) {
  const address = URL.createObjectURL(blob);
  make("a", { href: address, download: `${document.body.dataset.study}-${name}` }).click();
  setTimeout(() => URL.revokeObjectURL(address), 10_000);
}

function reveal() {
  if (location.hash.includes("=")) return; // a view, and no place
  const target = $(decodeURIComponent(location.hash.slice(1)));
  const details = target && target.closest("details");
  if (!details) return;
  details.open = true;
  target.scrollIntoView();
  target.focus({ preventScroll: true });
}
