// The address keeps what is chosen on the page, as #name=value&…, so that a view can be sent.

const chosen = () => [...document.querySelectorAll("main [name]")];

// Let every control with a name follow the address, and the address follow every control.
function addressed() {
  const usual = new Map(chosen().map((control) => [control, control.value]));
  const write = () => {
    const other = chosen().filter((control) => control.value !== usual.get(control)).map((control) => [control.name, control.value]);
    history.replaceState(null, "", other.length ? `#${new URLSearchParams(other)}` : location.href.split("#")[0]);
  };
  const read = () => {
    if (!location.hash.includes("=")) return; // no view but a place on the page
    const view = new URLSearchParams(location.hash.slice(1));
    for (const control of chosen()) set(control, view.get(control.name) ?? usual.get(control), usual.get(control));
  };
  read();
  document.querySelector("main").addEventListener("change", write);
  addEventListener("hashchange", read);
}

function set(control, value, usual) {
  const before = control.value;
  control.value = value;
  if (control.selectedIndex === -1) control.value = usual; // such as a method that the study no longer has
  if (control.value !== before) change(control);
}
