// Guards the box around this invisible widget: keys, focus, clicks, and the link to the kernel.

const NO_SHORTCUTS = "data-lm-suppress-shortcuts"; // JupyterLab and Notebook obey it
const FIELDS = ":is(input, textarea, select, button):enabled";
const BUTTON = ".jupyter-button";
const PATIENCE = 3_000; // milliseconds to wait for a part that is not on the page yet
const AGAIN = 20; // milliseconds
const GONE = "jupyter-widgets-disconnected";
const GUARDED = "rnb-guarded";
const COLOR =
  "color-mix(in srgb, var(--jp-error-color1, #e53935) 75%, var(--jp-ui-font-color1, currentColor))";
const ADVICE =
  "The kernel was restarted or stopped, so this does not work any more. Run the cell again.";

function isPlain(event) {
  return !event.ctrlKey && !event.metaKey && !event.altKey;
}

// The widgets in a box, at any depth, and the box itself.
function* widgetsIn(widget) {
  yield widget;
  for (const child of widget.get("children") ?? []) yield* widgetsIn(child);
}

// True while the kernel handles a value of a widget, or a later one waits in the browser for that.
function isBehind(widget) {
  return widget._pending_msgs > 0 || Boolean(widget._msg_buffer);
}

function render({ model, el }) {
  let box = null;
  const observer = new MutationObserver(follow);
  // A button that was clicked is disabled while its request runs, and would lose the focus.
  const disabling = new MutationObserver((changes) => changes.forEach(keepFocus));
  let focused = null;
  let guarded = null; // the widget of the box
  const held = []; // buttons whose clicks wait for the kernel
  let released = null;

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

  // A field sends its next value when the kernel is done with the last one. A click would overtake
  // it, and the kernel would act on half of what was typed.
  function hold(event) {
    const button = event.target.closest(BUTTON);
    if (!button || button === released || !adopt()?.contains(button) || isNested()) return;
    if (!guarded || !(held.length || isAnyBehind())) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    if (held.push(button) === 1) setTimeout(release, AGAIN);
  }

  function release() {
    if (!box.isConnected) held.length = 0;
    if (held.length && !isAnyBehind()) {
      released = held.shift();
      released.click(); // nothing happens if it is disabled by now
      released = null;
    }
    if (held.length) setTimeout(release, AGAIN);
  }

  async function findBox() {
    guarded = await model.widget_manager.get_model(model.get("box_id"));
  }

  function isAnyBehind() {
    return [...widgetsIn(guarded)].some(isBehind);
  }

  function isNested() {
    return Boolean(box.parentElement?.closest(`.${GUARDED}`));
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
    if (!adopt() || isNested()) return;
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

  findBox();
  window.addEventListener("keydown", guard, true);
  window.addEventListener("click", hold, true);
  model.on("msg:custom", receive);
  requestAnimationFrame(() => {
    adopt();
    follow();
  });
  return () => {
    window.removeEventListener("keydown", guard, true);
    window.removeEventListener("click", hold, true);
    model.off("msg:custom", receive);
    observer.disconnect();
    disabling.disconnect();
    box?.removeEventListener("keydown", stop);
    box?.removeEventListener("focusin", noteFocus);
  };
}

export default { render };
