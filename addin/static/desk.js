// The desk's keys, reveals and undo bar. Every page works without this file; it only makes it quicker.
"use strict";

(() => {
  const $ = (selector, within = document) => within.querySelector(selector);
  const all = (selector, within = document) => [...within.querySelectorAll(selector)];
  const words = (text) => document.createTextNode(text);

  // ---------------------------------------------------------------- what is revealed, and hidden again
  const form = $("#reveal");
  const said = $("#reveal-said");
  const open = new Map(); // element -> how to hide it again
  const tell = (text, link) => {
    if (!said) return;
    said.replaceChildren(words(text));
    if (link) {
      const a = document.createElement("a");
      a.href = link;
      a.textContent = "Sign in again";
      said.append(words(" "), a);
    }
  };
  const hideAll = () => {
    for (const hide of open.values()) hide();
    open.clear();
  };

  const show = (button, value, seconds) => {
    if (open.has(button)) open.get(button)();
    const before = button.textContent;
    let place = null;
    if (button.dataset.block !== undefined) { // a paragraph or a table: below its label
      place = document.createElement("div");
      place.className = "value";
      place.textContent = value;
      place.tabIndex = -1;
      button.closest(".block").append(place);
    } else {
      button.textContent = value;
      button.classList.add("open");
    }
    const timer = setTimeout(() => { open.get(button)?.(); open.delete(button); }, seconds * 1000);
    open.set(button, () => {
      clearTimeout(timer);
      if (place) place.remove();
      else { button.textContent = before; button.classList.remove("open"); }
    });
    tell(`Shown for ${seconds} seconds. Recorded.`);
  };

  const chosen = $("#reveal-chosen");
  let wanted = null; // what was chosen before there was a reason
  const reveal = async (button) => {
    if (!form.checkValidity()) {
      wanted = button;
      chosen.disabled = false;
      tell(`Chosen: ${button.textContent}. Say why you have to see it.`);
      form.reportValidity();
      return;
    }
    wanted = null;
    chosen.disabled = true;
    const body = { ref: button.value, reason: form.elements.reason.value, remark: form.elements.remark.value };
    button.disabled = true;
    try {
      const answer = await fetch(form.dataset.api, {
        method: "POST", cache: "no-store", body: JSON.stringify(body),
        headers: { "Content-Type": "application/json", "X-Form-Token": form.elements.form_token.value },
      });
      const told = await answer.json();
      if (answer.ok) show(button, told.value, told.seconds);
      else if (told.code === "sign-in-again") tell("The sign-in is too old to reveal anything.", told.link);
      else tell(`Not possible: ${told.code}.`);
    } catch {
      tell("The service does not answer. Nothing is shown.");
    } finally {
      button.disabled = false;
      button.focus();
    }
  };

  if (form) {
    chosen.closest("[data-script]").hidden = false;
    form.noValidate = true; // asked for here, so that what was chosen is remembered
    form.addEventListener("submit", (event) => {
      const button = event.submitter && event.submitter.value ? event.submitter : wanted;
      event.preventDefault();
      if (!button) return;
      if (open.has(button)) { open.get(button)(); open.delete(button); return; } // a second press hides it
      reveal(button);
    });
    window.addEventListener("pagehide", hideAll);
    document.addEventListener("visibilitychange", () => { if (document.hidden) hideAll(); });
  }

  // ------------------------------------------------------------------------- rulings that may be undone
  for (const element of all("[data-until]")) {
    const until = Date.parse(element.dataset.until);
    const target = $("[data-left]", element) || (element.dataset.reload !== undefined ? element : null);
    const tick = () => {
      const left = Math.ceil((until - Date.now()) / 1000);
      if (target) target.textContent = left > 0 ? ` in ${left} s` : " now";
      if (left > 0) setTimeout(tick, 500);
      else if (element.dataset.reload !== undefined && left > -30) setTimeout(() => location.reload(), 1500);
      else if (left <= 0) for (const button of all("button", element)) button.disabled = true;
    };
    tick();
  }

  // -------------------------------------------------------------------------------------------- keys
  const toggle = $("#keys-on");
  const remembered = (() => { try { return localStorage.getItem("keys"); } catch { return null; } })();
  if (toggle) {
    toggle.closest("[data-script]").hidden = false;
    toggle.checked = remembered !== "off";
    toggle.addEventListener("change", () => {
      try { localStorage.setItem("keys", toggle.checked ? "on" : "off"); } catch { /* only for this page then */ }
    });
  }
  const step = (by) => {
    const stops = all("[data-keys=list] h2 a").concat(all(".content button.mask.counts, .content span.mask.counts[tabindex]"));
    if (!stops.length) return;
    const here = stops.indexOf(document.activeElement);
    const next = stops[here < 0 ? (by > 0 ? 0 : stops.length - 1) : Math.min(stops.length - 1, Math.max(0, here + by))];
    next.focus();
    next.scrollIntoView({ block: "center" });
  };
  const outcome = (number) => {
    const details = $(`#outcome-${number}`);
    if (!details) return;
    details.open = true;
    ($("select, a", details.querySelector(".inside")) || $("summary", details)).focus();
    details.scrollIntoView({ block: "nearest" });
  };
  document.addEventListener("keydown", (event) => {
    if (toggle && !toggle.checked) return;
    if (event.ctrlKey || event.altKey || event.metaKey || event.isComposing) return;
    if (event.target.closest("input, select, textarea")) return;
    if (event.key === "j") step(1);
    else if (event.key === "k") step(-1);
    else if (event.key === "m") { hideAll(); tell("Masked again."); }
    else if (event.key >= "1" && event.key <= "4") outcome(event.key);
    else if (event.key === "u" && $("#up")) $("#up").click();
    else if (event.key === "?" && $("#keys")) { $("#keys").open = true; $("#keys summary").focus(); }
    else return;
    event.preventDefault();
  });
})();
