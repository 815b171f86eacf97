// Without a network what cannot be done says why, in its own place; what can wait says that it will.
import { isOnline, onChange } from "./connection.js";
import { shape, worker } from "./talk.js";

// A purchase and a choice of seats wait for the network; search goes on over what is kept.
const WAITS = "#pay, #hall";
const WORKS = "form.search, [method=dialog], .again";

async function mark() {
  for (const button of document.querySelectorAll("header.top button")) button.disabled = !isOnline();
  const words = await shape("words");
  const word = (id) => words.querySelector(`[data-word=${id}]`).textContent;
  for (const button of document.querySelectorAll("main button, aside button")) {
    const form = button.form;
    if (!form || form.matches(WORKS) || form.method !== "post") continue;
    const waits = form.matches(WAITS) && worker();
    if (!isOnline()) {
      button.dataset.label ??= button.textContent;
      button.textContent = word(waits ? (form.id === "pay" ? "pay-later" : "hold-later") : "no-network");
      button.disabled = !waits;
    } else if ("label" in button.dataset) {
      button.textContent = button.dataset.label;
      button.disabled = false;
      delete button.dataset.label;
    }
  }
}

export function follow() {
  onChange(() => mark().catch((error) => console.warn(error)));
  addEventListener("htmx:after:swap", () => !isOnline() && document.body.matches(".offline") && mark());
}
