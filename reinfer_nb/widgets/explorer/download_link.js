// A link that requests a file from the kernel in pieces, and saves it.

const PAUSE = 400; // ms between pieces: Jupyter's server drops messages that come too fast

function render({ model, el }) {
  // A button, as a link to "#" makes some hosts scroll to the top of the notebook.
  const link = document.createElement("button");
  const status = document.createElement("span");
  link.type = "button";
  link.textContent = `Download ${model.get("name")}`;
  link.style.cssText =
    "color:var(--jp-content-link-color, color-mix(in srgb, #1a73e8 45%, currentColor));" +
    "text-decoration:underline;background:none;border:0;padding:0;font:inherit;cursor:pointer";
  status.setAttribute("role", "status");
  status.style.marginLeft = "8px";
  el.append(link, status);
  let parts = null;

  link.addEventListener("click", () => {
    if (parts) return;
    parts = [];
    model.send({ piece: 0 });
  });

  async function onMessage(message, buffers) {
    if (!parts) return; // a response to another view
    if (message.failed) {
      status.textContent = message.failed;
      parts = null;
      return;
    }
    if (message.piece !== parts.length) return;
    parts.push(buffers[0]);
    if (parts.length < message.pieces) {
      status.textContent = `${Math.round((100 * parts.length) / message.pieces)} %`;
      setTimeout(() => parts && model.send({ piece: parts.length }), PAUSE);
      return;
    }
    const gzipped = new Blob(parts).stream();
    const file = await new Response(gzipped.pipeThrough(new DecompressionStream("gzip"))).blob();
    parts = null;
    const anchor = document.createElement("a");
    anchor.href = URL.createObjectURL(new Blob([file], { type: "text/csv" }));
    anchor.download = model.get("name");
    anchor.click();
    setTimeout(() => URL.revokeObjectURL(anchor.href), 60000);
    status.textContent = "Downloaded.";
  }

  model.on("msg:custom", onMessage);
  return () => {
    parts = null;
    model.off("msg:custom", onMessage);
  };
}

export default { render };
