// Keeps keys typed in a drop-down from the notebook, where arrows go to another cell and "dd"
// deletes one.

function render({ el }) {
  function guard(event) {
    const plain = !event.ctrlKey && !event.metaKey && !event.altKey;
    if (!plain || !event.target.matches?.("select")) return;
    // The browser still applies the key to the drop-down.
    if (el.parentElement?.contains(event.target)) event.stopPropagation();
  }

  // On the window, to run before all other listeners; `el` is not on the page yet.
  window.addEventListener("keydown", guard, true);
  return () => window.removeEventListener("keydown", guard, true);
}

export default { render };
