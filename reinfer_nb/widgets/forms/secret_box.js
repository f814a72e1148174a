// A box for a secret. What is typed stays in this page: it is in no widget state, and goes to the
// kernel only when that asks for it, as bytes beside the message, where no log shows it.

// One of these for each model, so that several views of it share what is typed and answer once.
export default () => {
  let typed = "";
  const inputs = new Set();
  let number = 0;

  function tell(model) {
    model.set("filled", typed !== "");
    model.save_changes();
  }

  function put(model, text) {
    typed = text;
    for (const input of inputs) {
      if (input.value !== text) input.value = text;
    }
    tell(model);
  }

  function initialize({ model }) {
    model.on("msg:custom", (message) => {
      if (message?.type === "give" && typed !== "") {
        const bytes = new TextEncoder().encode(typed);
        model.send({ type: "token", asked: message.asked }, undefined, [bytes.buffer]);
      } else if (message?.type === "empty") {
        put(model, "");
      }
    });
    // Another page with an empty box says so when it opens; here something is typed.
    model.on("change:filled", () => {
      if (typed !== "" && !model.get("filled")) tell(model);
    });
    if (model.get("filled")) tell(model);
  }

  function render({ model, el }) {
    const row = document.createElement("div");
    const kinds = ["widget-inline-hbox", "widget-text"];
    row.className = ["jupyter-widgets", ...kinds, ...kinds.map((kind) => `jupyter-${kind}`)].join(" ");
    row.style.cssText = "display:flex;align-items:baseline;width:auto;min-width:0;margin:var(--jp-widgets-margin, 2px)";

    const label = document.createElement("label");
    label.className = "widget-label jupyter-widget-label";
    label.textContent = model.get("label");
    label.style.width = model.get("label_width");

    const input = document.createElement("input");
    input.type = "password";
    input.autocomplete = "off";
    input.spellcheck = false;
    input.value = typed;
    input.style.cssText = "flex:1 1 0;min-width:0;box-sizing:border-box";
    input.id = `rnb-secret-${Date.now().toString(36)}-${number++}-${Math.random().toString(36).slice(2)}`;
    label.htmlFor = input.id;

    input.addEventListener("input", () => put(model, input.value));
    // Its keys are nobody's shortcuts, Shift+Enter included; only saving is let through.
    for (const kind of ["keydown", "keypress", "keyup"]) {
      input.addEventListener(kind, (event) => {
        const saves = (event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "s";
        if (!saves) event.stopPropagation();
      });
    }
    input.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" || event.isComposing) return;
      event.preventDefault();
      if (!model.get("busy")) model.send({ type: "enter", filled: typed !== "" });
    });

    const dress = () => {
      // Not disabled: that would take the focus away from who is typing.
      input.readOnly = model.get("busy");
      input.setAttribute("aria-busy", String(model.get("busy")));
      input.setAttribute("aria-invalid", String(model.get("invalid")));
    };
    dress();
    model.on("change:busy", dress);
    model.on("change:invalid", dress);

    inputs.add(input);
    row.append(label, input);
    el.append(row);
    return () => {
      inputs.delete(input);
      model.off("change:busy", dress);
      model.off("change:invalid", dress);
    };
  }

  return { initialize, render };
};
