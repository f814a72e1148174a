// A short table whose rows can be opened and ticked. Texts are inserted as text, never as markup.

const LONGEST_WORD = 16; // characters

// The class of a cell, whose long words may be broken.
function breaking(text) {
  const isLong = text.split(/\s/).some((word) => word.length > LONGEST_WORD);
  return isLong ? "rnb-list-long" : "";
}

function render({ model, el }) {
  const table = make("table");
  const more = make("div", { class: "rnb-list-more" });
  // MathJax must not turn a title into a formula.
  const root = make("div", { class: "rnb-list tex2jax_ignore mathjax_ignore" }, table, more);
  let content = null;

  function box(label, checked, changed) {
    const node = make("input", { type: "checkbox", "aria-label": label });
    node.checked = checked;
    node.addEventListener("change", () => changed(node.checked));
    return node;
  }

  function tick(rows, ticked) {
    model.send({ kind: "tick", rows, ticked });
    for (const row of rows) {
      const node = table.querySelector(`tr[data-row="${row}"] input`);
      if (node) node.checked = ticked;
    }
  }

  function headings({ heads, tickable }) {
    const cells = heads.map((text) => make("th", { scope: "col" }, text));
    const rows = tickable.flatMap((can, row) => (can ? [row] : []));
    if (tickable.length) {
      const all = rows.length ? [box("All rows", false, (ticked) => tick(rows, ticked))] : [];
      cells.unshift(make("td", {}, ...all));
    }
    return make("thead", {}, make("tr", {}, ...cells));
  }

  function line([first, ...others], row) {
    const { tickable, ticked } = content;
    const button = make("button", { type: "button", class: "rnb-list-open" }, first);
    const cells = [
      make("th", { scope: "row", class: breaking(first) }, button),
      ...others.map((text) => make("td", { class: breaking(text) }, text)),
    ];
    if (tickable.length) {
      const label = `Choose ${first}`;
      const tickBox = box(label, ticked.includes(row), (on) => tick([row], on));
      cells.unshift(make("td", {}, ...(tickable[row] ? [tickBox] : [])));
    }
    const node = make("tr", { "data-row": row }, ...cells);
    node.addEventListener("click", (event) => {
      if (event.target.closest("input")) return;
      // Keep text that was just marked, so that it can be copied.
      if (!document.getSelection().isCollapsed) return;
      model.send({ kind: "open", row });
    });
    return node;
  }

  function receive(message) {
    if (message.kind !== "rows") return;
    content = message;
    table.setAttribute("aria-label", content.label);
    table.replaceChildren(headings(content), make("tbody", {}, ...content.rows.map(line)));
    table.hidden = content.rows.length === 0;
    more.textContent = content.more;
    more.hidden = content.more === "";
  }

  model.on("msg:custom", receive);
  el.append(root);
  model.send({ kind: "ask" });
  return () => model.off("msg:custom", receive);
}

export default { render };
