// Colours on light and on dark paper.

const dark = matchMedia("(prefers-color-scheme: dark)");

// On dark paper, dark colours are mixed with white until they can be seen.
function visible(colour) {
  if (!dark.matches) return colour;
  let parts = [1, 3, 5].map((at) => parseInt(colour.slice(at, at + 2), 16));
  const light = () => (0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]) / 255;
  while (light() < 0.45) parts = parts.map((part) => part + 0.15 * (255 - part));
  return "#" + parts.map((part) => Math.round(part).toString(16).padStart(2, "0")).join("");
}
