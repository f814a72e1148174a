// Keys typed in a drop-down beside this are no commands to the notebook around it, such as the
// arrows, which go to another cell, or "dd" to delete one.

function render({ el }) {
  function keep(event) {
    const plain = !event.ctrlKey && !event.metaKey && !event.altKey;
    if (!plain || !event.target.matches?.("select")) return;
    // The browser does all the same what the key does in a drop-down.
    if (el.parentElement?.contains(event.target)) event.stopPropagation();
  }

  // First of all that listen; and `el` is in no page yet.
  window.addEventListener("keydown", keep, true);
  return () => window.removeEventListener("keydown", keep, true);
}

export default { render };
