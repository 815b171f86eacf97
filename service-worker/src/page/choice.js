// Seats that are ticked and not yet held survive a reload and a lost network, for as long as somebody would still mean them.
const KEPT_MS = 3600000;

const event = () => document.querySelector("#map[data-event]")?.dataset.event;
const name = () => `chosen-${event()}`;

function kept() {
  try {
    const { at, seats } = JSON.parse(sessionStorage.getItem(name()));
    return Date.now() - at < KEPT_MS ? seats : [];
  } catch {
    return [];
  }
}

// Sections of a large hall come one at a time: what is ticked in another one is still meant.
function note() {
  const here = [...document.querySelectorAll("#map .row input[name=seat]")];
  if (!here.length) return;
  const shown = new Set(here.map(({ value }) => value));
  const seats = [...kept().filter((seat) => !shown.has(seat)), ...here.filter(({ checked }) => checked).map(({ value }) => value)];
  try {
    sessionStorage.setItem(name(), JSON.stringify({ at: Date.now(), seats }));
  } catch {
    // No room, or none allowed: the choice lives as long as the page.
  }
}

function restore() {
  let changed = null;
  for (const seat of kept()) {
    const input = document.querySelector(`#map .row input[name=seat][value="${CSS.escape(seat)}"]:not(:disabled, [data-mine])`);
    if (input && !input.checked) {
      input.checked = true;
      changed = input;
    }
  }
  changed?.dispatchEvent(new Event("change", { bubbles: true }));
}

export function follow() {
  if (!event()) return;
  addEventListener("change", ({ target }) => target.matches?.("#map .row input") && note());
  addEventListener("htmx:after:swap", restore);
  restore();
}
