// Seats that are ticked and not yet held survive a reload and a lost network, for as long as somebody would still mean them.
const KEPT_MS = 3600000;

const owner = document.body.dataset.account ?? "-";
const event = () => document.querySelector("#map[data-event]")?.dataset.event;
const name = () => `chosen-${event()}`;

function kept() {
  try {
    const { at, of, seats } = JSON.parse(sessionStorage.getItem(name()));
    return Date.now() - at < KEPT_MS && (of === "-" || of === owner) ? seats : [];
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
    sessionStorage.setItem(name(), JSON.stringify({ at: Date.now(), of: owner, seats }));
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

// What somebody chose who has signed out, or another account did, is nobody's business here.
function forget() {
  for (const key of Object.keys(sessionStorage))
    if (key.startsWith("chosen-") && !["-", owner].includes(JSON.parse(sessionStorage.getItem(key)).of)) sessionStorage.removeItem(key);
}

// What a choice that has to wait is called by, on its card.
function say(form) {
  const seats = [...form.querySelectorAll(".row input[name=seat]:checked")];
  const said = {
    title: document.title.split(" · ")[0],
    place: seats.map((seat) => `${seat.closest(".row").dataset.row}\u00a0${seat.getAttribute("aria-label").split(",")[0]}`).join(", "),
    money: form.querySelector(".sum")?.textContent ?? "",
  };
  for (const [field, value] of Object.entries(said)) {
    const input = form.querySelector(`input[name=${field}]`) ?? form.appendChild(Object.assign(document.createElement("input"), { type: "hidden", name: field }));
    input.value = value;
  }
}

export function follow() {
  try {
    forget();
  } catch {
    // Nothing is kept here.
  }
  if (!event()) return;
  addEventListener("change", ({ target }) => target.matches?.("#map .row input") && note());
  addEventListener("htmx:after:swap", restore);
  addEventListener("submit", ({ target }) => target.id === "hall" && say(target));
  restore();
}
