// A button that opens a panel beneath it. Escape, a click elsewhere and Tab close the panel.
class Menu {
  // `opened` is called after the panel was opened.
  constructor(id, label, opened) {
    this.opened = opened;
    this.text = make("span", { id: `${id}-text`, class: "rnb-menu-text" }, label);
    const arrow = make("span", { class: "rnb-arrow", "aria-hidden": "true" });
    const state = { type: "button", "aria-expanded": "false", "aria-controls": `${id}-panel` };
    this.button = make("button", { id, class: "rnb-menu-button", ...state }, this.text, arrow);
    const role = { role: "group", "aria-label": `${label}: choices` };
    this.panel = make("div", { id: `${id}-panel`, class: "rnb-panel", ...role });
    this.panel.hidden = true;
    this.node = make("div", { class: "rnb-menu" }, this.button, this.panel);
    this.button.addEventListener("click", () => this.toggle());
    this.node.addEventListener("keydown", (event) => {
      if (event.key !== "Escape" || this.panel.hidden) return;
      event.stopPropagation();
      this.close();
      this.button.focus();
    });
    this.node.addEventListener("focusout", (event) => {
      // A click on a text of the panel gives the focus to no element.
      if (event.relatedTarget && !this.node.contains(event.relatedTarget)) this.close();
    });
    this.outside = (event) => {
      if (!event.composedPath().includes(this.node)) this.close();
    };
    this.resized = new ResizeObserver(() => this.place());
  }

  get isOpen() {
    return !this.panel.hidden;
  }

  toggle() {
    if (this.isOpen) {
      this.close();
      return;
    }
    this.panel.hidden = false;
    this.button.setAttribute("aria-expanded", "true");
    document.addEventListener("pointerdown", this.outside, true);
    this.resized.observe(this.node.closest(".rnb-finder"));
    this.opened();
    this.place();
    this.panel.querySelector("input, button")?.focus();
  }

  // Keeps the panel inside of the table's width.
  place() {
    this.panel.style.left = "0";
    const table = this.node.closest(".rnb-finder").getBoundingClientRect();
    const panel = this.panel.getBoundingClientRect();
    const beyond = Math.min(panel.right - table.right, panel.left - table.left);
    if (beyond > 0) this.panel.style.left = `${-beyond}px`;
  }

  close() {
    if (!this.isOpen) return;
    this.panel.hidden = true;
    this.button.setAttribute("aria-expanded", "false");
    document.removeEventListener("pointerdown", this.outside, true);
    this.resized.disconnect();
  }
}

// A line of a panel with a box to tick.
function tick(text, checked, changed) {
  const box = make("input", { type: "checkbox" });
  box.checked = checked;
  box.addEventListener("change", () => changed(box.checked));
  return make("label", { class: "rnb-tick" }, box, make("span", {}, text));
}

// A facet: its choices are asked for while its menu is open, and narrowed by what is typed there.
class Facet {
  constructor(id, key, label, send) {
    this.key = key;
    this.send = send;
    this.menu = new Menu(id, label, () => this.ask());
    const unaided = { autocomplete: "off", spellcheck: "false" };
    const name = { "aria-label": `Find a choice of ${label}`, placeholder: "type to find" };
    this.typed = make("input", { type: "search", ...name, ...unaided });
    this.typed.addEventListener("input", () => this.ask());
    this.list = make("div", { class: "rnb-ticks" });
    this.more = make("div", { class: "rnb-more", "aria-live": "polite" });
    this.none = make("button", { type: "button" }, "Any");
    this.none.addEventListener("click", () => this.choose(null, false));
    this.menu.panel.append(this.typed, this.list, this.more, this.none);
    const text = make("label", { for: id, id: `${id}-label` }, label);
    this.menu.button.setAttribute("aria-labelledby", `${id}-label ${id}-text`);
    this.node = make("div", { class: "rnb-facet" }, text, this.menu.node);
  }

  ask() {
    this.send({ kind: "choices", facet: this.key, typed: this.typed.value });
  }

  choose(place, chosen) {
    this.send({ kind: "choose", facet: this.key, choice: place, chosen, listing: this.listing });
  }

  update({ chosen }, listing) {
    this.listing = listing;
    const text = chosen.length > 2 ? `${chosen.length} chosen` : chosen.join(" or ") || "any";
    setText(this.menu.text, text);
    this.menu.button.title = chosen.join(", ");
    this.menu.button.classList.toggle("rnb-set", chosen.length > 0);
    this.none.disabled = !chosen.length;
    if (this.menu.isOpen) this.ask();
  }

  fill({ options, more, listing }) {
    const held = this.list.contains(document.activeElement) && document.activeElement.dataset.place;
    const top = this.list.scrollTop;
    const lines = options.map(([place, text, count, chosen]) => {
      const line = tick(`${text} (${count.toLocaleString("en")})`, chosen, (checked) => {
        this.listing = listing;
        this.choose(place, checked);
      });
      line.firstChild.dataset.place = place;
      line.classList.toggle("rnb-none", !count);
      return line;
    });
    this.list.replaceChildren(...lines);
    this.list.scrollTop = top;
    // The box that was ticked keeps the focus.
    if (held) this.list.querySelector(`[data-place="${held}"]`)?.focus({ preventScroll: true });
    const rest = `${more.toLocaleString("en")} more: type to find them`;
    setText(this.more, more ? rest : options.length ? "" : "No choice matches.");
    this.menu.place();
  }
}

// The menu that chooses the columns.
class ColumnMenu {
  constructor(id, table) {
    this.table = table;
    this.menu = new Menu(id, "Columns", () => this.fill());
    this.list = make("div", { class: "rnb-ticks" });
    const advice =
      "Drag a heading to move its column, and its right edge to resize it. With the keyboard: " +
      "Ctrl and an arrow key move it, Shift and an arrow key resize it.";
    const standard = make("button", { type: "button" }, "Standard columns");
    standard.addEventListener("click", () => {
      table.actions.arrange(null);
      this.menu.button.focus();
      this.menu.close();
    });
    this.menu.panel.append(this.list, make("div", { class: "rnb-more" }, advice), standard);
    this.node = make("div", { class: "rnb-columns" }, this.menu.node);
  }

  fill() {
    const shown = this.table.layout;
    const rest = [...this.table.columns, ...this.table.hidden].filter(
      ({ key }) => !shown.some((column) => column.key === key),
    );
    const held = this.list.contains(document.activeElement) && document.activeElement.dataset.key;
    const lines = [...shown, ...rest].map((column) => {
      const line = tick(column.heading, shown.includes(column), (checked) => {
        const others = this.table.layout.filter(({ key }) => key !== column.key);
        this.table.arrange(checked ? [...others, column] : others);
        if (others.length < 2) this.fill();
      });
      line.firstChild.dataset.key = column.key;
      // The table must show something.
      const last = shown.length === 1 && shown.includes(column);
      line.firstChild.disabled = column.absent || last;
      return line;
    });
    this.list.replaceChildren(...lines);
    if (held) this.list.querySelector(`[data-key="${CSS.escape(held)}"]`)?.focus();
  }
}
