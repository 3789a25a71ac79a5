// One forgotten image: what every method's models say of it, trial by trial.

const images = () => (cell().images === null ? null : data.images[cell().images]);

function thumbnail(facts, at) {
  return facts.image ? cut(facts.sprite, facts.image, at) : String(facts.index[at]);
}

const group = (facts) => facts.groups[$("group").value] ?? facts.groups[""];

// The chosen image, or the first of its group.
const at = (facts) => ($("one").value && facts.index.includes(Number($("one").value)) ? facts.index.indexOf(Number($("one").value)) : group(facts)[0]);

function groups() {
  const facts = images();
  const labels = facts ? Object.fromEntries(facts.predictions.map(({ name, label }) => [name, label])) : {};
  const text = (name) => (name === "" ? "on which all methods fail most" : name === "random" ? "drawn at random" : `on which ${labels[name]} fails most`);
  options($("group"), Object.keys(facts?.groups ?? { "": 0 }).map((name) => ({ name, label: text(name) })), "");
}

async function pictures() {
  const facts = images();
  if (facts) facts.image ??= await decoded(facts.sprite);
  if (facts !== images()) return; // other results were chosen meanwhile, which are drawn by themselves
  const focused = $("thumbs").contains(document.activeElement);
  $("image-table").replaceChildren();
  $("thumbs").replaceChildren();
  if (!facts) {
    $("thumbs").append(make("p", { class: "hint" }, "No images: the runs of these results were not on disk when the page was made."));
    return;
  }
  $("thumbs").append(...group(facts).map((position) => {
    const index = facts.index[position];
    const name = `image ${index}, ${facts.classes[facts.labels[position]]}`;
    const button = make("button", { type: "button", "aria-pressed": position === at(facts), "aria-label": name, title: name }, thumbnail(facts, position));
    button.addEventListener("click", () => { $("one").value = String(index); change($("one")); });
    return button;
  }));
  if (focused) $("thumbs").querySelector("[aria-pressed=true]")?.focus();
  predicted(facts, at(facts));
}

function predicted(facts, position) {
  const truth = facts.labels[position], retrain = facts.predictions.find(({ name }) => name === "retrain").trials;
  const on = new Set(["retrain", ...shown().map(({ name }) => name)]);
  const heads = ["Method", ...facts.trials.map((trial) => `Trial ${trial}`)].map((text) => make("th", { scope: "col" }, text));
  const rows = facts.predictions.filter(({ name }) => on.has(name)).map(({ label: name, trials }) => make("tr", {}, make("th", { scope: "row" }, name), ...facts.trials.map((trial, row) => {
    const outputs = trials[trial];
    if (!outputs) return make("td", {}, "–");
    const [prediction, probability] = outputs.map((values) => values[position]), gone = facts.forgotten[row][position];
    const other = gone && retrain[trial] && retrain[trial][0][position] !== prediction;
    const text = `${facts.classes[prediction]}${prediction === truth ? "" : " ✗"}, ${number(probability, 1)} %`;
    return make("td", { class: gone ? (other ? "other" : "") : "kept" }, gone ? text : `${text} (not forgotten)`);
  })));
  const caption = make("caption", {}, `Training image ${facts.index[position]}, class ${facts.classes[truth]}.`);
  const whole = make("table", {}, caption, make("thead", {}, make("tr", {}, ...heads)), make("tbody", {}, ...rows));
  $("image-table").append(make("div", { class: "scroll", role: "region", tabindex: 0, "aria-label": "What the models say of the image" }, whole));
}

function begin() {
  const size = ({ methods }) => methods.length * methods[0].trials.length;
  const largest = data.cells.reduce((best, one) => (size(one) > size(best) ? one : best));
  options($("results"), data.cells.map((one) => ({ name: called(one), label: `${one.label} (${one.study})` })), called(largest));
  $("equal").addEventListener("click", () => {
    for (const key of keys) $(`weight-${key}`).value = equal[key];
    change($(`weight-${keys[0]}`));
  });
  groups();
  $("results").addEventListener("change", () => { groups(); boxes(); pictures(); });
  $("group").addEventListener("change", () => { $("one").value = ""; pictures(); });
  $("chosen").addEventListener("change", () => { boxes(); pictures(); });
  $("one").addEventListener("change", pictures);
  for (const control of [$("results"), $("chosen"), ...keys.map((key) => $(`weight-${key}`))]) control.addEventListener("change", rank);
  for (const key of keys) $(`weight-${key}`).addEventListener("input", rank);
  dark.addEventListener("change", () => { boxes(); rank(); });
  addressed();
  boxes();
  rank();
  pictures().then(() => { document.documentElement.dataset.ready = "yes"; });
}

begin();
