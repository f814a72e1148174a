// The browser part of the source table: input and scrolling go to the kernel as messages, and the
// kernel responds with the rows of the visible window.
// Texts of the tenant are inserted as text, never as markup.

const ROW = 28; // height of a row in pixels, as in source_table.css
const HEAD = 30; // height of the headings
const MARGIN = 12; // rows drawn above and below the visible ones
const MOST = 200; // most rows drawn at once, and in one message
const TALLEST = 8_000_000; // pixels; browsers support about ten million
const CACHE_SIZE = 2_000; // rows
const SIDEWAYS = 80; // pixels that an arrow key scrolls sideways
const TIMEOUT = 10_000; // milliseconds until a response counts as lost
const NARROWEST = 64; // pixels of a column
const STEP = 20; // pixels by which a key resizes a column
const DRAG = 5; // pixels that the pointer moves before a click becomes a drag

const STALLED =
  "The kernel has not responded for 10 seconds. It may be busy; if it was restarted, run the cell " +
  "again.";
const HEADING = "[role=columnheader]";
let views = 0;

// Does not touch unchanged text, which a screen reader would read again.
function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

function between(value, least, most) {
  return Math.max(least, Math.min(value, most));
}

// Sends one message at a time to the kernel. A queued message is replaced by a later one of the
// same kind, so that fast typing and held keys do not pile up.
class Outbox {
  // `changed` is called with true while messages are queued or without a response.
  constructor(post, changed) {
    this.post = post;
    this.changed = changed;
    this.queue = [];
    this.pending = null;
    this.sentAt = 0;
  }

  send(message) {
    const same = (other) =>
      ["kind", "facet", "how"].every((key) => other[key] === message[key]) &&
      message.how !== "toggle" &&
      message.kind !== "choose";
    if (this.queue.length && same(this.queue.at(-1))) this.queue.pop();
    this.queue.push(message);
    this.next();
    this.changed(true);
  }

  onResponse() {
    this.pending = null;
    this.next();
    this.changed(this.pending !== null);
  }

  next() {
    if (!this.queue.length || this.waiting()) return;
    this.pending = this.queue.shift();
    this.sentAt = Date.now();
    this.post(this.pending);
  }

  waiting() {
    return this.pending !== null && Date.now() - this.sentAt < TIMEOUT;
  }

  has(kind) {
    return [this.pending, ...this.queue].some((message) => message?.kind === kind);
  }
}

// The search box, the facets and the menu of the columns.
class Controls {
  constructor(id, send, table) {
    this.id = id;
    this.send = send;
    this.facets = new Map();
    const placeholder = "id, project, name, title, description";
    const unaided = { autocomplete: "off", spellcheck: "false" };
    const described = { "aria-describedby": `${id}-help ${id}-notes` };
    const type = { type: "search", id: `${id}-search` };
    this.search = make("input", { ...type, placeholder, ...unaided, ...described });
    this.search.addEventListener("input", () => {
      send({ kind: "search", text: this.search.value });
    });
    this.clear = make("button", { type: "button", class: "rnb-clear" }, "Clear");
    this.clear.addEventListener("click", () => {
      this.search.value = "";
      send({ kind: "clear" });
      // The button is disabled next and would lose the focus.
      this.search.focus();
    });
    const label = make("label", { for: this.search.id }, "Search");
    const box = make("div", { class: "rnb-search" }, label, this.search);
    this.columns = new ColumnMenu(`${id}-columns`, table);
    this.line = make("div", { class: "rnb-line" }, box, this.clear, this.columns.node);
    this.help = make("div", { id: `${id}-help`, class: "rnb-help" });
    this.notes = make("div", { id: `${id}-notes`, class: "rnb-notes", "aria-live": "polite" });
    const role = { role: "search", "aria-label": "Narrow the sources" };
    this.node = make("div", { class: "rnb-controls", ...role }, this.line, this.help, this.notes);
  }

  update({ facets, listing, help, notes }) {
    const keys = facets.map((facet) => facet.key);
    if (keys.join() !== [...this.facets.keys()].join()) this.build(facets);
    for (const facet of facets) this.facets.get(facet.key).update(facet, listing);
    this.narrowed = facets.some((facet) => facet.chosen.length > 0);
    setText(this.help, help);
    setText(this.notes, notes.join(" "));
  }

  build(facets) {
    for (const { node } of this.facets.values()) node.remove();
    this.facets.clear();
    for (const { key, label } of facets) {
      const facet = new Facet(`${this.id}-${key}`, key, label, this.send);
      this.facets.set(key, facet);
      this.clear.before(facet.node);
    }
  }
}

// The table: the headings, and the visible rows with some rows above and below.
class Table {
  constructor(id, actions) {
    this.id = id;
    this.actions = actions;
    this.columns = [];
    this.hidden = []; // the columns that are not shown
    this.wanted = null; // the columns as arranged here, until the kernel shows them
    this.count = 0;
    this.current = null;
    this.offset = 0; // pixels of rows above the visible part
    this.bar = 0; // the scrollTop that was set for that offset
    this.visible = false; // while hidden, a browser may lose the scroll position: it is 0 then
    this.rows = new Map(); // cache of rows: { selected, cells, marks }
    this.drawn = new Map(); // the nodes of the drawn rows
    this.expected = null; // a row that was just selected, until the kernel confirms it
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
    this.head.addEventListener("click", (event) => {
      if (!this.dragged) this.sortBy(event.target.closest(HEADING));
    });
    this.head.addEventListener("pointerdown", (event) => this.drag(event));
    this.body.addEventListener("mousedown", (event) => {
      // Shift and a click would select text.
      if (event.shiftKey) event.preventDefault();
    });
    this.body.addEventListener("click", (event) => this.clicked(event));
    this.body.addEventListener("dblclick", (event) => {
      if (event.target.closest("[role=row]")) this.actions.open();
    });
    // The table was resized or shown again.
    this.resized = new ResizeObserver(() => {
      const visible = this.grid.clientHeight > 0;
      if (visible) this.follow();
      this.visible = visible;
      this.place(this.offset);
      this.draw();
    });
    this.resized.observe(this.grid);
  }

  build(columns, hidden) {
    this.hidden = hidden;
    if (JSON.stringify(columns) === JSON.stringify(this.columns)) return;
    this.columns = columns;
    this.grid.setAttribute("aria-colcount", columns.length);
    const held = this.head.contains(document.activeElement) && document.activeElement.dataset.key;
    this.head.replaceChildren(...columns.map((column, place) => heading(column, place === 0)));
    this.drawn.clear();
    this.body.replaceChildren();
    this.resize();
    const node = [...this.head.children].find(({ dataset }) => dataset.key === held);
    if (node) this.focusHead(node);
  }

  // Sets the widths: a width that the user chose is kept, others share the space that is left.
  resize() {
    const widths = this.columns.map((column) => this.width(column));
    const tracks = this.columns.map(({ chosen }, place) =>
      chosen ? `${widths[place]}px` : `minmax(${widths[place]}px, ${widths[place]}fr)`,
    );
    this.grid.style.setProperty("--rnb-columns", tracks.join(" "));
    this.grid.style.setProperty("--rnb-width", `${widths.reduce((sum, width) => sum + width, 0)}px`);
  }

  // At least as wide as the heading, unless the user chose a width.
  width({ chosen, width, heading }) {
    if (chosen) return Math.max(chosen, NARROWEST);
    this.context ??= document.createElement("canvas").getContext("2d");
    const { fontFamily } = getComputedStyle(this.grid);
    this.context.font = `600 13px ${fontFamily || "sans-serif"}`;
    return Math.max(width, Math.ceil(this.context.measureText(heading).width) + 36);
  }

  // The columns from which the next change starts, so that no quick change is lost.
  get layout() {
    return this.wanted ?? this.columns;
  }

  arrange(columns) {
    this.wanted = columns;
    this.actions.arrange(columns.map(({ key, chosen }) => [key, chosen]));
  }

  // Moves a heading, or its right edge.
  drag(event) {
    const node = event.target.closest(HEADING);
    this.dragged = false;
    if (!node || event.button !== 0) return;
    const place = [...this.head.children].indexOf(node);
    const edge = event.target.closest(".rnb-edge") !== null;
    const column = this.columns[place];
    const width = node.getBoundingClientRect().width;
    const begin = event.clientX;
    let target = place;
    if (edge) event.preventDefault();
    const move = ({ clientX }) => {
      if (Math.abs(clientX - begin) > DRAG) this.dragged = true;
      if (!this.dragged) return;
      if (edge) {
        column.chosen = Math.max(NARROWEST, Math.round(width + clientX - begin));
        this.resize();
        return;
      }
      const nodes = [...this.head.children];
      target = nodes.findIndex((other) => clientX < other.getBoundingClientRect().right);
      if (target < 0) target = nodes.length - 1;
      nodes.forEach((other, number) => {
        other.classList.toggle("rnb-before", number === target && target < place);
        other.classList.toggle("rnb-after", number === target && target > place);
      });
    };
    const end = ({ type }) => {
      window.removeEventListener("pointermove", move);
      window.removeEventListener("pointerup", end);
      window.removeEventListener("pointercancel", end);
      for (const other of this.head.children) other.classList.remove("rnb-before", "rnb-after");
      if (!this.dragged || type === "pointercancel") return;
      if (edge) this.widen(column, column.chosen);
      else this.moveColumn(column, this.columns[target]);
    };
    window.addEventListener("pointermove", move);
    window.addEventListener("pointerup", end);
    window.addEventListener("pointercancel", end);
  }

  // The place of a column among the arranged ones.
  placeOf({ key }) {
    return this.layout.findIndex((other) => other.key === key);
  }

  // Moves a column to the place of another one, or by some steps.
  moveColumn(column, other, step = 0) {
    const from = this.placeOf(column);
    const to = this.placeOf(other) + step;
    if (from < 0 || from === to || to < 0 || to >= this.layout.length) return;
    const columns = [...this.layout];
    columns.splice(to, 0, ...columns.splice(from, 1));
    this.arrange(columns);
  }

  widen({ key }, chosen) {
    this.arrange(this.layout.map((other) => (other.key === key ? { ...other, chosen } : other)));
  }

  sorted(sort) {
    this.columns.forEach(({ key }, place) => {
      const by = sort !== null && sort[0] === key;
      const direction = !by ? "none" : sort[1] ? "descending" : "ascending";
      const node = this.head.children[place];
      node.setAttribute("aria-sort", direction);
      setText(node.children[1], { none: "", ascending: "↑", descending: "↓" }[direction]);
    });
  }

  // Ascending, descending, then back to the order of the listing.
  sortBy(node) {
    if (!node) return;
    this.focusHead(node);
    const { key } = this.columns[[...this.head.children].indexOf(node)];
    const current = node.getAttribute("aria-sort");
    const column = current === "descending" ? null : key;
    const descending = current === "ascending";
    // Shown at once, so that a second click takes the next step.
    this.sorted([column, descending]);
    this.actions.sort(column, descending);
  }

  focusHead(node) {
    for (const other of this.head.children) other.tabIndex = other === node ? 0 : -1;
    node.focus();
  }

  headKey(event) {
    const node = event.target.closest(HEADING);
    if (!node || event.altKey) return false;
    if (event.ctrlKey || event.metaKey || event.shiftKey) return this.shapeKey(event, node);
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

  // Moves a column with Ctrl and an arrow key, and resizes it with Shift and an arrow key.
  shapeKey(event, node) {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!step) return false;
    const column = this.columns[[...this.head.children].indexOf(node)];
    if (event.shiftKey) {
      const width = node.getBoundingClientRect().width + step * STEP;
      column.chosen = Math.max(NARROWEST, Math.round(width));
      this.resize();
      this.widen(column, column.chosen);
    } else this.moveColumn(column, column, step);
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
    if (event.key === "Enter") {
      if (this.current !== null) this.actions.open();
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
    // Keep text that was just marked in a cell, so that it can be copied.
    if (!command && !event.shiftKey && !document.getSelection().isCollapsed) return;
    const row = Number(node.getAttribute("aria-rowindex")) - 2;
    this.grid.focus({ preventScroll: true });
    this.choose(row, event.shiftKey ? "extend" : command ? "toggle" : "only");
  }

  choose(row, how) {
    this.follow();
    this.expected = how === "only" ? row : null;
    this.current = row;
    this.reveal(row);
    this.actions.select(row, how);
    this.draw();
  }

  // Scrolls as little as needed to show a row in full.
  reveal(row) {
    this.place(between(this.offset, (row + 1) * ROW - this.seen(), row * ROW));
  }

  seen() {
    return Math.max(0, this.grid.clientHeight - HEAD);
  }

  // The scroll range of the scroll bar and of the rows; they differ only for very many rows.
  scrollRanges() {
    const rows = this.count * ROW;
    const seen = this.seen();
    return [Math.max(0, Math.min(rows, TALLEST) - seen), Math.max(0, rows - seen)];
  }

  scrolled() {
    if (!this.grid.clientHeight) return;
    this.follow();
    this.draw();
  }

  // Adopt the scroll position of the user. The browser reports it only in its next frame, so call
  // this before the rows are placed, which would otherwise undo the scrolling.
  follow() {
    const top = this.grid.scrollTop;
    const lost = !this.visible && top === 0;
    if (lost || Math.abs(top - this.bar) < 1) return;
    const [bar, rows] = this.scrollRanges();
    this.bar = top;
    this.offset = bar ? Math.min(top / bar, 1) * rows : 0;
  }

  place(offset) {
    this.body.style.height = `${Math.min(this.count * ROW, TALLEST)}px`;
    if (!this.grid.clientHeight) return;
    const [bar, rows] = this.scrollRanges();
    this.offset = between(offset, 0, rows);
    this.bar = rows ? Math.round((this.offset * bar) / rows) : 0;
    this.grid.scrollTop = this.bar;
  }

  // The first and last row to draw for an offset.
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
    let outdated = false;
    for (let row = first; row < last; row += 1) {
      outdated ||= this.rows.get(row)?.marks !== this.marks;
      const node = this.drawn.get(row) ?? this.blank(row);
      this.drawn.set(row, node);
      // Keep the nodes in the order of the rows, for screen readers.
      const next = this.body.children[row - first] ?? null;
      if (next !== node) this.body.insertBefore(node, next);
      node.style.transform = `translateY(${this.bar + row * ROW - this.offset}px)`;
      this.fill(node, row);
    }
    this.grid.setAttribute("aria-rowcount", this.count + 1);
    this.grid.setAttribute("aria-activedescendant", this.drawn.get(this.current)?.id ?? "");
    if (outdated) this.actions.look();
  }

  blank(row) {
    const cells = this.columns.map((column) =>
      make("div", { role: "gridcell", class: classesOf(column) }),
    );
    const place = { id: `${this.id}-${row}`, "aria-rowindex": row + 2 };
    return make("div", { role: "row", class: "rnb-row", ...place }, ...cells);
  }

  fill(node, row) {
    const content = this.rows.get(row);
    const selected = this.expected === null ? Boolean(content?.selected) : this.expected === row;
    node.setAttribute("aria-selected", selected);
    node.classList.toggle("rnb-current", row === this.current);
    node.classList.toggle("rnb-waiting", !content);
    if (node.content === content) return;
    node.content = content;
    this.columns.forEach((_, place) => {
      const cell = node.children[place];
      const text = content?.cells[place];
      const missing = text === null;
      setText(cell, missing ? "–" : (text ?? ""));
      cell.classList.toggle("rnb-missing", missing);
      cell.title = text ?? "";
      cell.ariaLabel = missing ? "missing" : null;
    });
  }

  remember(start, rows, marks) {
    if (this.rows.size > CACHE_SIZE) this.rows.clear();
    this.marks = marks;
    rows.forEach(([selected, ...cells], place) => {
      this.rows.set(start + place, { selected, cells, marks });
    });
  }
}

function classesOf({ number, frozen }) {
  return [number ? "rnb-number" : "", frozen ? "rnb-frozen" : ""].join(" ").trim();
}

function heading(column, first) {
  const attributes = { title: column.heading, class: classesOf(column), "data-key": column.key };
  const role = { role: "columnheader", "aria-sort": "none", tabindex: first ? "0" : "-1" };
  const text = make("span", { class: "rnb-heading" }, column.heading);
  const sorting = make("span", { "aria-hidden": "true" });
  const edge = make("span", { class: "rnb-edge", "aria-hidden": "true" });
  return make("div", { ...attributes, ...role }, text, sorting, edge);
}

// True if the text around an element is light, so the background is dark. This works in all hosts;
// the canvas parses every notation of a colour.
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
    // Search, facets and sorting show other rows, from the first one on.
    const sameRows = message.kind === "look" || message.kind === "select";
    model.send({ ...message, view: id, rows: table.range(sameRows ? table.offset : 0) });
  }, (busy) => table.grid.setAttribute("aria-busy", busy));
  const table = new Table(id, {
    sort: (column, descending) => outbox.send({ kind: "sort", column, descending }),
    arrange: (columns) => outbox.send({ kind: "arrange", columns }),
    open: () => outbox.send({ kind: "edit" }),
    select: (row, how) => outbox.send({ kind: "select", version: state.version, row, how }),
    look: () => {
      if (!outbox.waiting()) outbox.send({ kind: "look" });
    },
  });
  const controls = new Controls(id, (message) => outbox.send(message), table);
  const status = make("div", { role: "status", class: "rnb-status" });
  const noMatch = make("div", { class: "rnb-nothing" }, "No source matches.");
  const frame = make("div", { class: "rnb-table" }, table.grid, noMatch);
  // MathJax must not turn a title into a formula.
  const classes = { class: "rnb-finder rnb-unready tex2jax_ignore mathjax_ignore" };
  // Outside of the status, so that a screen reader does not read each change.
  const age = make("div", { class: "rnb-age" });
  const foot = make("div", { class: "rnb-foot" }, status, age);
  const root = make("div", classes, controls.node, frame, foot);

  function receive(message) {
    const mine = message.view === id;
    if (message.kind === "choices") {
      if (mine) outbox.onResponse();
      if (mine) controls.facets.get(message.facet)?.fill(message);
      return;
    }
    if (message.kind !== "shown") return;
    const changed = message.version !== state?.version;
    // A response without facets is about the same version; if not, this view missed a response.
    if (changed && !message.facets) {
      if (mine) outbox.onResponse();
      if (!outbox.has("open")) outbox.send({ kind: "open" });
      return;
    }
    table.follow();
    if (changed) table.rows.clear();
    if (changed && message.listing === state?.listing) table.offset = 0;
    const lastSearch = state?.search;
    state = { ...state, ...message };
    if (message.facets) {
      controls.update(message);
      table.build(message.columns, message.hidden);
    }
    table.count = message.count;
    table.remember(message.start, message.rows, message.marks);
    if (mine) outbox.onResponse();
    if (!outbox.has("arrange")) table.wanted = null;
    if (message.facets && controls.columns.menu.isOpen) controls.columns.fill();
    if (!outbox.has("sort")) table.sorted(message.sort);
    // Text that is being typed is newer than the response to an earlier text.
    const typing = outbox.has("search") || (mine && lastSearch !== undefined);
    if (!typing && message.search !== lastSearch) controls.search.value = message.search;
    if (!outbox.has("select")) {
      table.current = message.current;
      table.expected = null;
    }
    controls.clear.disabled = !controls.narrowed && message.search === "" && !message.only;
    noMatch.hidden = message.count > 0;
    setText(status, message.status);
    root.classList.remove("rnb-unready");
    if (message.reveal && table.current !== null) table.reveal(table.current);
    else table.place(table.offset);
    table.draw();
  }

  function resize() {
    root.style.setProperty("--rnb-height", `${model.get("height")}px`);
  }

  function updateAge() {
    const seconds = Date.now() / 1000 - model.get("listed_at");
    const units = { day: 86_400, hour: 3_600, minute: 60 };
    const [unit, length] = Object.entries(units).find(([, length]) => seconds >= length) ?? [];
    const count = Math.floor(seconds / length);
    const ago = unit ? `${count} ${unit}${count === 1 ? "" : "s"} ago` : "less than a minute ago";
    setText(age, model.get("listed_at") > 0 ? `Listed ${ago}` : "");
  }

  function tellTime() {
    updateAge();
    if (outbox.pending && !outbox.waiting()) setText(status, STALLED);
  }

  // Keys typed here are no commands of the notebook, such as "dd" to delete a cell.
  root.addEventListener("keydown", (event) => {
    if (!event.ctrlKey && !event.metaKey && !event.altKey) event.stopPropagation();
  });

  model.on("msg:custom", receive);
  model.on("change:height", resize);
  model.on("change:listed_at", updateAge);
  const timer = setInterval(tellTime, TIMEOUT);
  resize();
  updateAge();
  noMatch.hidden = true;
  setText(status, "Waiting for the kernel. If it was restarted, run the cell again.");
  el.append(root);
  // In an observer, as an element that is not yet on the page has no colour.
  const observer = new ResizeObserver(() => root.classList.toggle("rnb-dark", isDark(el)));
  observer.observe(root);
  outbox.send({ kind: "open" });

  return () => {
    model.off("msg:custom", receive);
    model.off("change:height", resize);
    model.off("change:listed_at", updateAge);
    clearInterval(timer);
    table.resized.disconnect();
    observer.disconnect();
    root.remove();
  };
}

export default { render };
