// What every part uses, and the table: sorted by its headings, filtered by the form above it.

const $ = (id) => document.getElementById(id);
const data = JSON.parse($("data").textContent);
const dark = matchMedia("(prefers-color-scheme: dark)");

function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

function sortable(table) {
  const body = table.tBodies[0];
  const original = [...body.rows];
  const heads = [...table.tHead.rows[0].cells];
  const key = (row, column, numeric) => {
    const cell = row.cells[column];
    return numeric ? Number(cell.dataset.value) : cell.textContent.trim().toLowerCase();
  };
  heads.forEach((head, column) => head.querySelector("button").addEventListener("click", () => {
    const before = head.getAttribute("aria-sort");
    const next = { null: "ascending", ascending: "descending", descending: null }[before];
    heads.forEach((other) => other.removeAttribute("aria-sort"));
    const rows = [...original];
    if (next) {
      head.setAttribute("aria-sort", next);
      const numeric = head.dataset.type === "number", sign = next === "ascending" ? 1 : -1;
      rows.sort((one, other) => {
        const a = key(one, column, numeric), b = key(other, column, numeric);
        if (numeric && (Number.isNaN(a) || Number.isNaN(b))) return Number.isNaN(a) - Number.isNaN(b); // last, always
        return sign * (numeric ? a - b : a.localeCompare(b, "en", { numeric: true }));
      });
    }
    table.classList.toggle("sorted", Boolean(next));
    body.append(...rows);
  }));
}

function filterable(form, table) {
  const selects = [...form.querySelectorAll("select")];
  const rows = [...table.tBodies[0].rows];
  const apply = () => {
    for (const row of rows)
      row.hidden = selects.some((select) => select.value && row.dataset[select.dataset.filter] !== select.value);
    const shown = rows.filter((row) => !row.hidden).length;
    $("count").textContent = shown === rows.length ? `${shown} rows` : `${shown} of ${rows.length} rows`;
  };
  form.addEventListener("change", apply);
  form.addEventListener("reset", () => setTimeout(apply));
  form.addEventListener("submit", (event) => event.preventDefault());
  apply();
}

function reveal() {
  const target = $(decodeURIComponent(location.hash.slice(1)));
  const details = target && target.closest("details");
  if (!details) return;
  details.open = true;
  target.scrollIntoView();
  target.focus({ preventScroll: true });
}
