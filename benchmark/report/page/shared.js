// What both pages use: their data, elements and lists, pictures out of a sprite, and colours on light and on dark paper.

const $ = (id) => document.getElementById(id);
const data = JSON.parse($("data").textContent);
const SVG = ["svg", "g", "path", "line", "circle", "text", "title"]; // elements that are of SVG

// A number with fixed decimals; errors of addition are removed first, as in the tables.
const fixed = (value, digits = 2) => Number(value.toFixed(9)).toFixed(digits);

function make(tag, attributes = {}, ...children) {
  const element = SVG.includes(tag) ? document.createElementNS("http://www.w3.org/2000/svg", tag) : document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

// Tell the listeners of a control that its value was set.
const change = (control) => control.dispatchEvent(new Event("change", { bubbles: true }));

// Fill a list with items' labels, their names as its values; keep what was chosen where that is still there.
function options(select, items, usual) {
  const before = select.value;
  select.replaceChildren(...items.map((item) => new Option(item.label, item.name)));
  select.value = before;
  if (select.selectedIndex === -1) select.value = usual;
}

// The methods that are shown. The hidden control, which the address keeps, names those that differ from what is usual:
// methods that are not shown, or shown though they are hidden at first.
const toggled = (control) => control.value.split(" ").filter(Boolean);
const shownOf = (methods, control) => methods.filter(({ name, hidden }) => hidden === toggled(control).includes(name));

// Fill a field with a box for each method, checked where it is shown; swatch makes the sample of its colour.
function chips(field, control, methods, swatch) {
  const on = shownOf(methods, control);
  const focused = [...field.querySelectorAll("input")].indexOf(document.activeElement);
  field.replaceChildren(field.querySelector("legend"));
  for (const method of methods) {
    const box = make("input", { type: "checkbox" });
    box.checked = on.includes(method);
    box.addEventListener("change", (event) => {
      event.stopPropagation(); // the hidden control says it
      const names = new Set(toggled(control));
      names[names.has(method.name) ? "delete" : "add"](method.name);
      control.value = [...names].sort().join(" ");
      change(control);
    });
    field.append(make("label", {}, box, swatch(method), method.label));
  }
  field.querySelectorAll("input")[focused]?.focus();
}

// The image of a sprite, once it can be drawn; null where there is no sprite.
async function decoded(sprite) {
  if (!sprite) return null;
  const image = new Image();
  image.src = sprite.src;
  await image.decode();
  return image;
}

// One picture of a sprite, by its number.
function cut({ width, height, columns }, image, number, attributes = {}) {
  const canvas = make("canvas", { width, height, ...attributes });
  const place = [(number % columns) * width, Math.floor(number / columns) * height];
  canvas.getContext("2d").drawImage(image, ...place, width, height, 0, 0, width, height);
  return canvas;
}

const dark = matchMedia("(prefers-color-scheme: dark)");

// On dark paper, dark colours are mixed with white until they can be seen.
function visible(colour) {
  if (!dark.matches) return colour;
  let parts = [1, 3, 5].map((at) => parseInt(colour.slice(at, at + 2), 16));
  const light = () => (0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]) / 255;
  while (light() < 0.45) parts = parts.map((part) => part + 0.15 * (255 - part));
  return "#" + parts.map((part) => Math.round(part).toString(16).padStart(2, "0")).join("");
}
