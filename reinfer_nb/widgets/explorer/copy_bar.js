// Buttons that copy a text to the clipboard.

const STYLE =
  "margin-right:4px;padding:2px 10px;border:1px solid currentColor;border-radius:3px;" +
  "background:none;color:var(--jp-ui-font-color1, currentColor);cursor:pointer;" +
  "font:var(--jp-ui-font-size1, 13px) var(--jp-ui-font-family, system-ui, sans-serif)";

async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    // Pages without HTTPS have no clipboard; some hosts do not allow it to frames.
  }
  const area = document.createElement("textarea");
  area.value = text;
  area.style.cssText = "position:fixed;opacity:0";
  const active = document.activeElement;
  document.body.append(area);
  area.select();
  const done = document.execCommand("copy");
  area.remove();
  active?.focus?.({ preventScroll: true });
  return done;
}

function render({ model, el }) {
  const root = document.createElement("div");
  const said = document.createElement("span");
  said.setAttribute("role", "status");

  function button([name, text]) {
    const node = document.createElement("button");
    node.type = "button";
    node.textContent = `Copy ${name}`;
    node.title = text;
    node.style.cssText = STYLE;
    node.addEventListener("click", async () => {
      const done = await copy(text);
      said.textContent = done ? `The ${name} is copied.` : `It cannot be copied here: ${text}`;
    });
    return node;
  }

  function receive(message) {
    if (message.kind !== "texts") return;
    said.textContent = "";
    root.replaceChildren(...message.texts.map(button), said);
  }

  model.on("msg:custom", receive);
  el.append(root);
  model.send({ kind: "ask" });
  return () => model.off("msg:custom", receive);
}

export default { render };
