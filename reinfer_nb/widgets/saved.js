// The link to a file of the kernel's: asks for it piece by piece, and saves it.

const PAUSE = 400; // ms between pieces: Jupyter's server drops what comes too fast

function render({ model, el }) {
  const link = document.createElement("a");
  const said = document.createElement("span");
  link.href = "#";
  link.textContent = `Download ${model.get("name")}`;
  link.style.cssText = "color:var(--jp-content-link-color, #0b57d0);text-decoration:underline";
  said.setAttribute("role", "status");
  said.style.marginLeft = "8px";
  el.append(link, said);
  let parts = null;

  link.addEventListener("click", (event) => {
    event.preventDefault();
    if (parts) return;
    parts = [];
    model.send({ piece: 0 });
  });

  async function onMessage(message, buffers) {
    if (!parts) return; // another view asked
    if (message.failed) {
      said.textContent = message.failed;
      parts = null;
      return;
    }
    if (message.piece !== parts.length) return;
    parts.push(buffers[0]);
    if (parts.length < message.pieces) {
      said.textContent = `${Math.round((100 * parts.length) / message.pieces)} %`;
      setTimeout(() => parts && model.send({ piece: parts.length }), PAUSE);
      return;
    }
    const packed = new Blob(parts).stream();
    const whole = await new Response(packed.pipeThrough(new DecompressionStream("gzip"))).blob();
    parts = null;
    const anchor = document.createElement("a");
    anchor.href = URL.createObjectURL(new Blob([whole], { type: "text/csv" }));
    anchor.download = model.get("name");
    anchor.click();
    setTimeout(() => URL.revokeObjectURL(anchor.href), 60000);
    said.textContent = "Downloaded.";
  }

  model.on("msg:custom", onMessage);
  return () => {
    parts = null;
    model.off("msg:custom", onMessage);
  };
}

export default { render };
