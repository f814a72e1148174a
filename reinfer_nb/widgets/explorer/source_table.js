// The finder in the browser: what is typed, clicked and scrolled goes to the kernel as messages,
// and what the kernel shows of the listing comes back, a window of rows at a time.
// A text of the tenant goes into the page as text, never as markup.

const ROW = 28; // the height of a row, as finder.css has it
const HEAD = 30; // and of the headings
const MARGIN = 12; // rows drawn above and below what is seen
const MOST = 200; // rows drawn at most, which one message can carry
const TALLEST = 8_000_000; // pixels; browsers stop at some ten million
const KEPT = 2_000; // rows remembered
const SIDEWAYS = 80; // pixels a key scrolls to the side
const PATIENCE = 10_000; // milliseconds until an answer is taken for lost

const HEADING = "[role=columnheader]";
let views = 0;

function make(name, attributes = {}, ...children) {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  node.append(...children);
  return node;
}

// Nothing is touched that is as it should be: a screen reader would say it again.
function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

function between(value, least, most) {
  return Math.max(least, Math.min(value, most));
}

// One message at a time is on its way to the kernel. Meanwhile a later one of the same kind takes
// the place of an earlier one, so that fast typing and held keys never queue up.
class Outbox {
  // `changed` hears, of each change, whether something is still to be sent or answered.
  constructor(post, changed) {
    this.post = post;
    this.changed = changed;
    this.queue = [];
    this.flying = null;
    this.since = 0;
  }

  send(message) {
    const same = (other) =>
      ["kind", "facet", "how"].every((key) => other[key] === message[key]) &&
      message.how !== "toggle";
    if (this.queue.length && same(this.queue.at(-1))) this.queue.pop();
    this.queue.push(message);
    this.next();
    this.changed(true);
  }

  answered() {
    this.flying = null;
    this.next();
    this.changed(this.flying !== null);
  }

  next() {
    if (!this.queue.length || this.waiting()) return;
    this.flying = this.queue.shift();
    this.since = Date.now();
    this.post(this.flying);
  }

  waiting() {
    return this.flying !== null && Date.now() - this.since < PATIENCE;
  }

  has(kind) {
    return [this.flying, ...this.queue].some((message) => message?.kind === kind);
  }
}

// The search box and the facets.
class Controls {
  constructor(id, send) {
    this.id = id;
    this.send = send;
    this.facets = new Map();
    const placeholder = "id, project, name, title, description";
    const plain = { autocomplete: "off", spellcheck: "false" };
    this.search = make("input", { type: "search", id: `${id}-search`, placeholder, ...plain });
    this.search.addEventListener("input", () => {
      send({ kind: "search", text: this.search.value });
    });
    this.clear = make("button", { type: "button", class: "rnb-clear" }, "Clear");
    this.clear.addEventListener("click", () => {
      this.search.value = "";
      send({ kind: "clear" });
      // A disabled button would lose the keyboard.
      this.search.focus();
    });
    const box = this.labelled("rnb-search", "Search", this.search);
    const role = { role: "search", "aria-label": "Narrow the sources" };
    this.node = make("div", { class: "rnb-controls", ...role }, box, this.clear);
  }

  labelled(name, text, control) {
    const label = make("label", { for: control.id }, text);
    return make("div", { class: name }, label, control);
  }

  update(facets, listing) {
    this.listing = listing;
    const keys = facets.map((facet) => facet.key);
    if (keys.join() !== [...this.facets.keys()].join()) this.build(facets);
    for (const facet of facets) this.fill(this.facets.get(facet.key), facet);
    this.narrowed = facets.some((facet) => facet.chosen !== "");
  }

  build(facets) {
    for (const { box } of this.facets.values()) box.remove();
    this.facets.clear();
    for (const { key, label } of facets) {
      const select = make("select", { id: `${this.id}-${key}` });
      select.addEventListener("change", () => {
        this.send({ kind: "choose", facet: key, choice: select.value, listing: this.listing });
      });
      const box = this.labelled("rnb-facet", label, select);
      this.facets.set(key, { box, select, options: new Map() });
      this.clear.before(box);
    }
  }

  // Options stay the same nodes, so that a list that is open or has the keyboard keeps it.
  fill({ select, options }, facet) {
    const wanted = facet.options.map(([value, text, none]) => {
      if (!options.has(value)) options.set(value, make("option", { value: value ?? "" }));
      const node = options.get(value);
      setText(node, text);
      node.classList.toggle("rnb-none", none);
      node.disabled = value === null;
      return node;
    });
    if (wanted.length !== select.options.length || wanted.some((o, i) => o !== select.options[i])) {
      select.replaceChildren(...wanted);
    }
    if (select.value !== facet.chosen) select.value = facet.chosen;
    select.classList.toggle("rnb-set", facet.chosen !== "");
  }
}

// The table: a header, and as many rows as are seen with some around them.
class Table {
  constructor(id, actions) {
    this.id = id;
    this.actions = actions;
    this.columns = [];
    this.count = 0;
    this.current = null;
    this.offset = 0; // pixels of rows above what is seen
    this.bar = 0; // where the scroll bar was put for that
    this.visible = false; // while hidden, a browser may lose where the scroll bar was
    this.rows = new Map(); // what is known of rows: { selected, cells, marks }
    this.drawn = new Map(); // the rows in the page
    this.hoped = null; // a row that was selected just now, until the kernel says so
    this.head = make("div", { role: "row", "aria-rowindex": "1", class: "rnb-row" });
    this.body = make("div", { role: "rowgroup", class: "rnb-body" });
    const head = make("div", { role: "rowgroup", class: "rnb-head" }, this.head);
    const role = { role: "grid", "aria-label": "Sources", "aria-multiselectable": "true" };
    this.grid = make("div", { class: "rnb-grid", tabindex: "0", ...role }, head, this.body);
    this.grid.addEventListener("scroll", () => this.scrolled());
    this.grid.addEventListener("keydown", (event) => {
      const handled = event.target === this.grid ? this.key(event) : this.headKey(event);
      if (!handled) return;
      event.preventDefault();
      event.stopPropagation();
    });
    this.head.addEventListener("click", (event) => this.sortBy(event.target.closest(HEADING)));
    this.body.addEventListener("mousedown", (event) => {
      // Shift and a click would mark text from here to there.
      if (event.shiftKey) event.preventDefault();
    });
    this.body.addEventListener("click", (event) => this.clicked(event));
    // Shown again, or of another size.
    this.resized = new ResizeObserver(() => {
      this.visible = this.grid.clientHeight > 0;
      this.place(this.offset);
      this.draw();
    });
    this.resized.observe(this.grid);
  }

  build(columns) {
    if (JSON.stringify(columns) === JSON.stringify(this.columns)) return;
    this.columns = columns;
    const widths = columns.map(({ width }) => `minmax(${width}px, ${width}fr)`).join(" ");
    const total = columns.reduce((sum, { width }) => sum + width, 0);
    this.grid.style.setProperty("--rnb-columns", widths);
    this.grid.style.setProperty("--rnb-width", `${total}px`);
    this.grid.setAttribute("aria-colcount", columns.length);
    this.head.replaceChildren(...columns.map((column, place) => heading(column, place === 0)));
    this.drawn.clear();
    this.body.replaceChildren();
  }

  sorted(sort) {
    this.columns.forEach(({ key }, place) => {
      const by = sort !== null && sort[0] === key;
      const direction = !by ? "none" : sort[1] ? "descending" : "ascending";
      const node = this.head.children[place];
      node.setAttribute("aria-sort", direction);
      setText(node.lastChild, { none: "", ascending: "↑", descending: "↓" }[direction]);
    });
  }

  // Up, down, and back to the listing's own order.
  sortBy(node) {
    if (!node) return;
    this.focusHead(node);
    const { key } = this.columns[[...this.head.children].indexOf(node)];
    const now = node.getAttribute("aria-sort");
    const column = now === "descending" ? null : key;
    const descending = now === "ascending";
    // Shown at once, so that a second click is the next step and not the same one.
    this.sorted([column, descending]);
    this.actions.sort(column, descending);
  }

  focusHead(node) {
    for (const other of this.head.children) other.tabIndex = other === node ? 0 : -1;
    node.focus();
  }

  headKey(event) {
    const node = event.target.closest(HEADING);
    if (!node || event.ctrlKey || event.metaKey || event.altKey) return false;
    const { previousSibling, nextSibling, parentNode } = node;
    const to = {
      ArrowLeft: previousSibling ?? node,
      ArrowRight: nextSibling ?? node,
      Home: parentNode.firstChild,
      End: parentNode.lastChild,
    }[event.key];
    if (to) this.focusHead(to);
    else if (event.key === "Enter" || event.key === " ") this.sortBy(node);
    else return false;
    return true;
  }

  key(event) {
    const command = event.ctrlKey || event.metaKey;
    if (event.altKey) return false;
    if (command && event.key.toLowerCase() === "a") {
      if (this.count) this.actions.select(0, "all");
      return true;
    }
    if (event.key === " ") {
      if (this.current !== null) this.choose(this.current, command ? "toggle" : "only");
      return true;
    }
    if (event.key === "ArrowLeft" || event.key === "ArrowRight") {
      this.grid.scrollLeft += event.key === "ArrowLeft" ? -SIDEWAYS : SIDEWAYS;
      return true;
    }
    const page = Math.max(1, Math.floor(this.seen() / ROW) - 1);
    const steps = { ArrowUp: -1, ArrowDown: 1, PageUp: -page, PageDown: page };
    const ends = { Home: 0, End: this.count - 1 };
    if (!(event.key in steps) && !(event.key in ends)) return false;
    if (!this.count) return true;
    const from = this.current ?? Math.ceil(this.offset / ROW) - Math.sign(steps[event.key] ?? 0);
    const to = between(ends[event.key] ?? from + steps[event.key], 0, this.count - 1);
    this.choose(to, event.shiftKey ? "extend" : command ? "move" : "only");
    return true;
  }

  clicked(event) {
    const node = event.target.closest("[role=row]");
    if (!node) return;
    const command = event.ctrlKey || event.metaKey;
    // Text that was just marked in a cell is to be copied.
    if (!command && !event.shiftKey && !document.getSelection().isCollapsed) return;
    const row = Number(node.getAttribute("aria-rowindex")) - 2;
    this.grid.focus({ preventScroll: true });
    this.choose(row, event.shiftKey ? "extend" : command ? "toggle" : "only");
  }

  choose(row, how) {
    this.follow();
    this.hoped = how === "only" ? row : null;
    this.current = row;
    this.place(between(this.offset, (row + 1) * ROW - this.seen(), row * ROW));
    this.actions.select(row, how);
    this.draw();
  }

  seen() {
    return Math.max(0, this.grid.clientHeight - HEAD);
  }

  // How far the scroll bar goes, and how far the rows do: the same until there are very many.
  travel() {
    const rows = this.count * ROW;
    const seen = this.seen();
    return [Math.max(0, Math.min(rows, TALLEST) - seen), Math.max(0, rows - seen)];
  }

  scrolled() {
    if (!this.grid.clientHeight) return;
    this.follow();
    this.draw();
  }

  // Take over where a person put the scroll bar. The browser reports it only with its next frame:
  // whatever places the rows before that calls this first, or it would undo the scrolling.
  follow() {
    const top = this.grid.scrollTop;
    if (!this.visible || Math.abs(top - this.bar) < 1) return;
    const [bar, rows] = this.travel();
    this.bar = top;
    this.offset = bar ? Math.min(top / bar, 1) * rows : 0;
  }

  place(offset) {
    if (!this.grid.clientHeight) return;
    const [bar, rows] = this.travel();
    this.body.style.height = `${Math.min(this.count * ROW, TALLEST)}px`;
    this.offset = between(offset, 0, rows);
    this.bar = rows ? Math.round((this.offset * bar) / rows) : 0;
    this.grid.scrollTop = this.bar;
  }

  // The rows to have in the page, when so many pixels of rows are above what is seen.
  range(offset = this.offset) {
    const first = Math.max(0, Math.floor(offset / ROW) - MARGIN);
    const last = Math.ceil((offset + this.seen()) / ROW) + MARGIN;
    return [first, Math.min(last, first + MOST)];
  }

  draw() {
    const [first, end] = this.range();
    const last = Math.min(end, this.count);
    for (const [row, node] of this.drawn) {
      if (row >= first && row < last) continue;
      node.remove();
      this.drawn.delete(row);
    }
    let lacking = false;
    for (let row = first; row < last; row += 1) {
      lacking ||= this.rows.get(row)?.marks !== this.marks;
      const node = this.drawn.get(row) ?? this.blank(row);
      this.drawn.set(row, node);
      // In the page they stand in their order, as a screen reader goes through them.
      const there = this.body.children[row - first] ?? null;
      if (there !== node) this.body.insertBefore(node, there);
      node.style.transform = `translateY(${this.bar + row * ROW - this.offset}px)`;
      this.fill(node, row);
    }
    this.grid.setAttribute("aria-rowcount", this.count + 1);
    this.grid.setAttribute("aria-activedescendant", this.drawn.get(this.current)?.id ?? "");
    if (lacking) this.actions.look();
  }

  blank(row) {
    const cells = this.columns.map(({ number }) =>
      make("div", { role: "gridcell", class: number ? "rnb-number" : "" }),
    );
    const place = { id: `${this.id}-${row}`, "aria-rowindex": row + 2 };
    return make("div", { role: "row", class: "rnb-row", ...place }, ...cells);
  }

  fill(node, row) {
    const known = this.rows.get(row);
    const selected = this.hoped === null ? Boolean(known?.selected) : this.hoped === row;
    node.setAttribute("aria-selected", selected);
    node.classList.toggle("rnb-current", row === this.current);
    node.classList.toggle("rnb-waiting", !known);
    if (node.shows === known) return;
    node.shows = known;
    this.columns.forEach((_, place) => {
      const cell = node.children[place];
      const text = known?.cells[place];
      const missing = text === null;
      setText(cell, missing ? "–" : (text ?? ""));
      cell.classList.toggle("rnb-missing", missing);
      cell.title = text ?? "";
      cell.ariaLabel = missing ? "missing" : null;
    });
  }

  remember(start, rows, marks) {
    if (this.rows.size > KEPT) this.rows.clear();
    this.marks = marks;
    rows.forEach(([selected, ...cells], place) => {
      this.rows.set(start + place, { selected, cells, marks });
    });
  }
}

function heading({ heading, number }, first) {
  const looks = { title: heading, class: number ? "rnb-number" : "" };
  const role = { role: "columnheader", "aria-sort": "none", tabindex: first ? "0" : "-1" };
  const text = make("span", { class: "rnb-heading" }, heading);
  return make("div", { ...looks, ...role }, text, make("span", { "aria-hidden": "true" }));
}

// Whether the text around an element is light, and so the ground dark. A host need not say so in
// any other way; the canvas understands every notation of a colour.
function isDark(element) {
  const context = document.createElement("canvas").getContext("2d");
  context.fillStyle = getComputedStyle(element).color;
  context.fillRect(0, 0, 1, 1);
  const [red, green, blue] = context.getImageData(0, 0, 1, 1).data;
  return red + green + blue > 3 * 128;
}

function render({ model, el }) {
  const id = `rnb-${Date.now().toString(36)}-${(views += 1)}`;
  let state = null;

  const outbox = new Outbox((message) => {
    // Other rows are looked at from the first one on.
    const same = message.kind === "look" || message.kind === "select";
    model.send({ ...message, view: id, rows: table.range(same ? table.offset : 0) });
  }, (busy) => table.grid.setAttribute("aria-busy", busy));
  const controls = new Controls(id, (message) => outbox.send(message));
  const table = new Table(id, {
    sort: (column, descending) => outbox.send({ kind: "sort", column, descending }),
    select: (row, how) => outbox.send({ kind: "select", version: state.version, row, how }),
    look: () => {
      if (!outbox.waiting()) outbox.send({ kind: "look" });
    },
  });
  const status = make("div", { role: "status", class: "rnb-status" });
  const nothing = make("div", { class: "rnb-nothing" }, "No source matches.");
  const framed = make("div", { class: "rnb-table" }, table.grid, nothing);
  // What looks like a formula in a title is none.
  const looks = { class: "rnb-finder rnb-unready tex2jax_ignore mathjax_ignore" };
  // Beside the status and not in it: a screen reader need not say each minute that it has passed.
  const age = make("div", { class: "rnb-age" });
  const foot = make("div", { class: "rnb-foot" }, status, age);
  const root = make("div", looks, controls.node, framed, foot);

  function receive(message) {
    if (message.kind !== "shown") return;
    const mine = message.view === id;
    const other = message.version !== state?.version;
    // Answers without facets speak of what is known; if it is not, an answer was missed.
    if (other && !message.facets) {
      if (mine) outbox.answered();
      if (!outbox.has("open")) outbox.send({ kind: "open" });
      return;
    }
    table.follow();
    if (other) table.rows.clear();
    if (other && message.listing === state?.listing) table.offset = 0;
    const searched = state?.search;
    state = { ...state, ...message };
    if (message.facets) {
      controls.update(message.facets, message.listing);
      table.build(message.columns);
    }
    table.count = message.count;
    table.remember(message.start, message.rows, message.marks);
    if (mine) outbox.answered();
    if (!outbox.has("sort")) table.sorted(message.sort);
    // What is being typed is newer than any answer to what was typed before.
    const typing = outbox.has("search") || (mine && searched !== undefined);
    if (!typing && message.search !== searched) controls.search.value = message.search;
    if (!outbox.has("select")) {
      table.current = message.current;
      table.hoped = null;
    }
    controls.clear.disabled = !controls.narrowed && message.search === "" && !message.only;
    nothing.hidden = message.count > 0;
    setText(status, message.status);
    root.classList.remove("rnb-unready");
    table.place(table.offset);
    table.draw();
  }

  function resize() {
    root.style.setProperty("--rnb-height", `${model.get("height")}px`);
  }

  function grow() {
    const seconds = Date.now() / 1000 - model.get("listed_at");
    const units = { day: 86_400, hour: 3_600, minute: 60 };
    const [unit, length] = Object.entries(units).find(([, length]) => seconds >= length) ?? [];
    const count = Math.floor(seconds / length);
    const ago = unit ? `${count} ${unit}${count === 1 ? "" : "s"} ago` : "less than a minute ago";
    setText(age, model.get("listed_at") > 0 ? `Listed ${ago}` : "");
  }

  // Keys typed here are no commands to the notebook around it, such as "dd" to delete a cell.
  root.addEventListener("keydown", (event) => {
    if (!event.ctrlKey && !event.metaKey && !event.altKey) event.stopPropagation();
  });

  model.on("msg:custom", receive);
  model.on("change:height", resize);
  model.on("change:listed_at", grow);
  const growing = setInterval(grow, 10_000);
  resize();
  grow();
  nothing.hidden = true;
  setText(status, "Waiting for the kernel. If it was restarted, run the cell again.");
  el.append(root);
  // Observed, since an element that is not yet on the page has no colour.
  const placed = new ResizeObserver(() => root.classList.toggle("rnb-dark", isDark(el)));
  placed.observe(root);
  outbox.send({ kind: "open" });

  return () => {
    model.off("msg:custom", receive);
    model.off("change:height", resize);
    model.off("change:listed_at", grow);
    clearInterval(growing);
    table.resized.disconnect();
    placed.disconnect();
    root.remove();
  };
}

export default { render };
