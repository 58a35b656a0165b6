// Une formule plus large que sa boîte défile : elle devient atteignable au clavier, et seulement alors.
document.addEventListener("DOMContentLoaded", () => {
  const attributes = { tabindex: "0", role: "group", "aria-label": "Formule large, à faire défiler" };

  function makeReachable(box) {
    const overflows = box.scrollWidth > box.clientWidth;
    for (const [name, value] of Object.entries(attributes)) {
      if (overflows) box.setAttribute(name, value);
      else box.removeAttribute(name);
    }
  }

  const column = document.querySelector("article") ?? document.body;
  const displayed = [...document.querySelectorAll(".math-scroll")];
  const inline = [...document.querySelectorAll("span.math")];

  function update() {
    displayed.forEach(makeReachable);
    for (const formula of inline) {
      formula.classList.remove("math-wide");
      const bases = [...formula.querySelectorAll(".base")].map((base) => base.offsetWidth);
      if (Math.max(0, ...bases) > formula.closest("p, li, dd, td, th, div, figcaption").clientWidth) formula.classList.add("math-wide");
      makeReachable(formula);
    }
  }

  new ResizeObserver(update).observe(column);
  document.addEventListener("toggle", update, true); // contenu replié qui s'ouvre
  document.fonts?.ready.then(update);
});
