// Guards the box around this invisible widget: keys, focus, and the link to the kernel.

const NO_SHORTCUTS = "data-lm-suppress-shortcuts"; // JupyterLab and Notebook obey it
const FIELDS = ":is(input, textarea, select, button):enabled";
const PATIENCE = 3_000; // milliseconds to wait for a part that is not on the page yet
const GONE = "jupyter-widgets-disconnected";
const GUARDED = "rnb-guarded";
const COLOR =
  "color-mix(in srgb, var(--jp-error-color1, #e53935) 75%, var(--jp-ui-font-color1, currentColor))";
const ADVICE =
  "The kernel was restarted or stopped, so this does not work any more. Run the cell again.";

function isPlain(event) {
  return !event.ctrlKey && !event.metaKey && !event.altKey;
}

function render({ model, el }) {
  let box = null;
  const observer = new MutationObserver(follow);
  // A button that was clicked is disabled while its request runs, and would lose the focus.
  const disabling = new MutationObserver((changes) => changes.forEach(keepFocus));
  let focused = null;

  // `el` is not on the page yet when it is rendered.
  function adopt() {
    if (box || !el.parentElement) return box;
    box = el.parentElement;
    // A click beside the fields gives the focus to the box instead of the notebook's cell.
    if (!box.hasAttribute("tabindex")) box.tabIndex = -1;
    box.classList.add(GUARDED);
    box.style.outline = "none";
    box.addEventListener("keydown", stop);
    box.addEventListener("focusin", noteFocus);
    observer.observe(box, { attributes: true, attributeFilter: ["class"] });
    disabling.observe(box, { attributes: true, attributeFilter: ["disabled"], subtree: true });
    return box;
  }

  function noteFocus(event) {
    focused = event.target;
  }

  // Gives the focus to the parts around a button that was disabled, so that Tab goes on from there.
  function keepFocus({ target }) {
    const active = document.activeElement;
    if (target !== focused || !target.disabled || ![target, document.body, null].includes(active))
      return;
    const place = target.parentElement;
    if (!place.hasAttribute("tabindex")) {
      place.tabIndex = -1;
      place.style.outline = "none";
    }
    place.focus({ preventScroll: true });
  }

  // After the box's own listeners, such as those of its tabs.
  function stop(event) {
    if (isPlain(event)) event.stopPropagation();
  }

  // Before all other listeners, of which those of the notebook come first.
  function guard(event) {
    if (!adopt()?.contains(event.target)) return;
    if (!isPlain(event)) {
      // Fast typing comes before the timer.
      event.target.removeAttribute(NO_SHORTCUTS);
      return;
    }
    if (event.target.matches("select")) {
      // The browser still applies the key to the drop-down.
      event.stopPropagation();
      return;
    }
    // On the element itself, since shortcuts of a notebook may be for any focused element in it.
    const { target } = event;
    target.setAttribute(NO_SHORTCUTS, "");
    setTimeout(() => target.removeAttribute(NO_SHORTCUTS));
  }

  function focusIn(name) {
    const until = Date.now() + PATIENCE;
    const attempt = () => {
      const active = document.activeElement;
      // In another view of the same widget, or if the user went elsewhere meanwhile: do nothing.
      if (active !== document.body && !adopt()?.contains(active)) return;
      const fields = [...(adopt()?.querySelectorAll(`.${name} ${FIELDS}`) ?? [])];
      const field = fields.find((node) => node.offsetParent !== null);
      if (field) field.focus();
      else if (Date.now() < until) requestAnimationFrame(attempt);
    };
    attempt();
  }

  function receive(message) {
    if (message.focus) focusIn(message.focus);
  }

  function follow() {
    // Of nested boxes, only the outermost says it.
    if (!adopt() || box.parentElement?.closest(`.${GUARDED}`)) return;
    const gone = box.classList.contains(GONE);
    if (gone === Boolean(box.querySelector(":scope > .rnb-gone"))) return;
    if (!gone) box.querySelector(":scope > .rnb-gone").remove();
    for (const child of box.children) child.inert = gone;
    if (!gone) return;
    const message = document.createElement("div");
    message.className = "rnb-gone";
    message.setAttribute("role", "alert");
    message.style.cssText = "padding:4px 8px;font-weight:600;border:1px solid currentColor";
    message.style.color = COLOR;
    message.textContent = ADVICE;
    box.prepend(message);
  }

  window.addEventListener("keydown", guard, true);
  model.on("msg:custom", receive);
  requestAnimationFrame(() => {
    adopt();
    follow();
  });
  return () => {
    window.removeEventListener("keydown", guard, true);
    model.off("msg:custom", receive);
    observer.disconnect();
    disabling.disconnect();
    box?.removeEventListener("keydown", stop);
    box?.removeEventListener("focusin", noteFocus);
  };
}

export default { render };
