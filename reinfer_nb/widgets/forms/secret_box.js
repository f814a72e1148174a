// A box for a secret. The secret stays in this page and is in no widget state. It is sent to the
// kernel on request only, as bytes beside the message, where no log shows it.

// Called once per model: all its views share the text and respond to a request once.
export default () => {
  let typed = "";
  const inputs = new Set();
  let number = 0;

  function saveFilled(model) {
    model.set("filled", typed !== "");
    model.save_changes();
  }

  function setText(model, text) {
    typed = text;
    for (const input of inputs) {
      if (input.value !== text) input.value = text;
    }
    saveFilled(model);
  }

  function initialize({ model }) {
    model.on("msg:custom", (message) => {
      if (message?.type === "give" && typed !== "") {
        const bytes = new TextEncoder().encode(typed);
        model.send({ type: "token", asked: message.asked }, undefined, [bytes.buffer]);
      } else if (message?.type === "empty") {
        setText(model, "");
      }
    });
    // Another page resets `filled` when it opens with an empty box, but this box has text.
    model.on("change:filled", () => {
      if (typed !== "" && !model.get("filled")) saveFilled(model);
    });
    if (model.get("filled")) saveFilled(model);
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

    input.addEventListener("input", () => setText(model, input.value));
    // Keys are no shortcuts of the notebook, not even Shift+Enter; except the one to save.
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

    const update = () => {
      // Not `disabled`, which would take the focus away.
      input.readOnly = model.get("busy");
      input.setAttribute("aria-busy", String(model.get("busy")));
      input.setAttribute("aria-invalid", String(model.get("invalid")));
    };
    update();
    model.on("change:busy", update);
    model.on("change:invalid", update);

    inputs.add(input);
    row.append(label, input);
    el.append(row);
    return () => {
      inputs.delete(input);
      model.off("change:busy", update);
      model.off("change:invalid", update);
    };
  }

  return { initialize, render };
};
