// Small comforts of the pages; everything works without this file.

// 4,306 or 1,250.00: in Peru's Spanish and in English alike. A slow phone takes 120 ms to make a formatter of Intl's.
function grouped(number, places = 0) {
  const [units, cents] = number.toFixed(places).split(".");
  return units.replace(/\B(?=(\d{3})+$)/g, ",") + (cents ? `.${cents}` : "");
}
const all = (selector, root = document) => [...root.querySelectorAll(selector)];

// What a visitor chose for this device; some browsers keep nothing and say so by an error.
function chose(name, value) {
  try {
    if (value === undefined) return localStorage.getItem(name);
    localStorage.setItem(name, value);
  } catch {
    // The page works as it does for a new visitor.
  }
  return null;
}

// ---- A hold's clock, in the server's time: the page says when it was drawn, so a phone's wrong clock does no harm.

function tick() {
  for (const clock of all("time[data-ends]")) {
    clock.drawn ??= performance.now();
    const left = Date.parse(clock.dataset.ends) - Date.parse(clock.dataset.now) - (performance.now() - clock.drawn);
    const seconds = Math.max(0, Math.ceil(left / 1000));
    clock.textContent = `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
    const bar = clock.closest(".hold");
    bar?.classList.toggle("late", seconds <= 120);
    // Said aloud at a few moments, in time to ask for more; never each second.
    const line = clock.parentElement.querySelector("[data-left]");
    const moment = [30, 60, 120, 300].find((one) => seconds <= one);
    if (line && moment && clock.said !== moment) {
      if (clock.said || seconds === moment) line.textContent = line.dataset.left.replace("{time}", clock.textContent);
      clock.said = moment;
    }
    // Over: the page says so. It may be the answer to a form, which must not be sent again.
    if (left <= -500 && !clock.over) {
      clock.over = true;
      location.replace(clock.dataset.over);
    }
    // The time is torn off along the bar's edge: its whole width is ten minutes.
    bar?.style.setProperty("--left", Math.min(1, left / 600000));
  }
}
setInterval(tick, 500);
tick();

// ---- Live seats: texts by socket, or asked for every few seconds where there is none (web/updates/deltas.py).

const live = { socket: null, lost: true, asking: false, timer: 0, due: 0, again: 0, keeping: false, opening: null, tapped: false };
const POLL_MS = 5000;
const AGAIN_MS = 4000;

const map = () => document.querySelector("#map[data-event] [data-v]");

// What the page shows, as the server wants to hear it: a section, the overview, or a whole small hall.
function shown(place = map()) {
  if (!place) return null;
  return place.matches(".sections") ? "-" : place.classList.contains("one") ? place.querySelector("[data-s]").dataset.s : "*";
}

function subscribe() {
  const place = map();
  if (place && live.socket?.readyState === WebSocket.OPEN) live.socket.send(`${shown(place)} ${place.dataset.v}`);
}

// Sets what the template sets, class and disabled, from the same letter. A seat of mine is none of others' business.
function set(seat, letter) {
  if ("mine" in seat.dataset) return;
  const free = letter === "f";
  if (!free && document.activeElement === seat) (nextFree(seat) ?? seat.form.querySelector("button"))?.focus();
  if (!free && seat.checked) {
    // What was asked for a moment ago is perhaps ours already: the answer tells, not the map.
    if (live.asking) return;
    seat.checked = false;
    say(seat);
  }
  seat.disabled = !free;
  if (free) seat.removeAttribute("class");
  else seat.className = letter;
}

function nextFree(seat) {
  const seats = all("input:not(:disabled)", seat.closest(".sec"));
  return seats.find((one) => one !== seat && seat.compareDocumentPosition(one) & 4) ?? seats.find((one) => one !== seat);
}

function apply(text) {
  const place = map();
  if (!place) return;
  if (text === "R") return fetchAgain();
  const [seats, counts] = text.split("|");
  const [, version, section, ...states] = seats.split(" ");
  const inputs = states.length ? all(`[data-s="${section}"] .row input`, place) : [];
  for (const one of states)
    for (let at = 1; at < one.length; at += 2) {
      const seat = inputs[parseInt(one.slice(at, at + 2), 36)];
      if (seat) set(seat, one[0]);
    }
  for (const pair of counts ? counts.split(",") : []) {
    const [number, free] = pair.split("=");
    for (const of of all(`[data-s="${number}"]`, place)) {
      const count = of.querySelector(".free b, b.free");
      if (count) count.textContent = grouped(Number(free));
      of.querySelector("meter")?.setAttribute("value", free);
    }
  }
  place.dataset.v = version;
  const everywhere = document.querySelector(".all-free");
  if (everywhere)
    everywhere.textContent = grouped(
      all(".free b", place).reduce((total, count) => total + Number(count.textContent.replaceAll(",", "")), 0),
    );
  chosen();
}

// The server cannot tell what changed since: the map is fetched anew, with the ticks that are still possible.
function fetchAgain() {
  if (live.due) return;
  // Once at once, then with a pause that spreads the pages out: a server that says it again and again is not asked so.
  const wait = Math.max(0, live.again - performance.now());
  live.due = setTimeout(() => {
    live.due = 0;
    const place = map();
    if (!place) return;
    live.again = performance.now() + AGAIN_MS * (1 + Math.random());
    live.keeping = true;
    const section = shown(place);
    const only = /^\d/.test(section) ? `?section=${section}` : "";
    htmx.ajax("GET", `/events/${place.closest("#map").dataset.event}${only}`, { target: "#map", swap: "innerHTML" });
  }, wait);
}

function poll() {
  clearTimeout(live.timer);
  const place = map();
  if (!live.lost || !place) return;
  live.timer = setTimeout(async () => {
    if (!document.hidden) {
      const event = document.querySelector("#map").dataset.event;
      try {
        const answer = await fetch(`/events/${event}/updates?section=${encodeURIComponent(shown())}&v=${map().dataset.v}`);
        if (answer.ok && live.lost) (await answer.text()).split("\n").forEach(apply);
      } catch {
        // No network: the next try is due soon anyway.
      }
    }
    poll();
  }, POLL_MS);
}

// What is ticked when the new map comes, not when it was asked for.
addEventListener("htmx:before:swap", () => {
  if (live.keeping) live.keep = all("#map .row input:checked").map((seat) => seat.value);
  live.keeping = false;
});
addEventListener("submit", ({ target }) => {
  if (target.matches("#hall, #best")) live.asking = true;
});
// A page of seats that Back brings is old: what is held now, and for how long, only the server knows.
addEventListener("pageshow", (event) => {
  live.asking = false;
  const back = performance.getEntriesByType("navigation")[0]?.type === "back_forward";
  if ((event.persisted || back) && document.querySelector("#map[data-event]")) location.reload();
});

function connected(event) {
  live.socket = event.detail.connection.socket;
  live.lost = false;
  subscribe();
}
addEventListener("htmx:ws:after:connection", connected);
addEventListener("htmx:ws:close", () => {
  live.lost = true;
  poll();
});
addEventListener("htmx:ws:before:message:incoming", (event) => {
  const text = event.detail.message.data;
  if (typeof text === "string" && (text === "R" || text.startsWith("S "))) {
    event.preventDefault();
    apply(text);
  }
});
// A section is opened by one listener for picture and list: htmx would look at each link when the page comes.
addEventListener("click", (event) => {
  const section = event.target.closest?.(".plan a");
  if (!section || !window.htmx || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
  event.preventDefault();
  // The first tap counts until its answer is there; a second one would leave two steps for Back.
  if (live.tapped) return;
  live.tapped = true;
  htmx.ajax("GET", section.getAttribute("href").split("#")[0], { source: ".plan" });
});

// A phone shows either the bill or the seats of a section: at once with the tap, so that nothing jumps when they come.
addEventListener("htmx:before:request", ({ detail }) => {
  const request = detail.ctx.request;
  if (detail.ctx.target?.id !== "map") return;
  live.opening = request.action.includes("section=");
  // After the next frame: the tap is answered first.
  requestAnimationFrame(() => setTimeout(() => live.opening !== null && document.body.classList.toggle("inside", live.opening)));
});
// The focus goes where the page went; nobody is left at its beginning.
addEventListener("htmx:after:swap", () => {
  if (document.activeElement && document.activeElement !== document.body) return;
  const next = document.querySelector(".hall.one h2, .sections a, #pays > .button");
  next?.focus({ preventScroll: true });
});
function inside() {
  live.opening = null;
  live.tapped = false;
  if (document.querySelector("#map")) document.body.classList.toggle("inside", Boolean(document.querySelector(".hall.one")));
}
// An answer that is an error changes nothing, the address included; whoever asked for it by hand is told.
function failed({ detail }) {
  inside();
  const { ctx } = detail;
  if (ctx) ctx.push = ctx.replace = "false";
  if (!ctx?.sourceElement?.closest?.(".order, .left")) toast(ctx?.response?.status === 429 ? document.body.dataset.hurried : document.body.dataset.failed);
}
addEventListener("htmx:response:error", failed);
addEventListener("htmx:error", failed);
addEventListener("htmx:after:swap", () => {
  inside();
  const place = map();
  if (!place) return;
  for (const value of live.keep ?? []) {
    const seat = place.querySelector(`.row input[value="${CSS.escape(value)}"]:not(:disabled)`);
    if (seat) seat.checked = true;
  }
  live.keep = null;
  // "0": the server has no version to go on from; it tells us what changes from now on all the same.
  if (place.dataset.v !== "0" || !live.told) subscribe();
  live.told = place.dataset.v === "0";
  chosen();
});

// ---- The list: what is left of its events, asked for now and then while somebody looks.

const LEFT_MS = 15000;
setInterval(() => {
  if (document.hidden || !document.querySelector(".bills .sale")) return;
  htmx.ajax("GET", `/events/left${location.search}`, { source: ".left", target: ".left", swap: "none" });
}, LEFT_MS);

// ---- Choosing seats: what is ticked and what it costs; arrows move between seats.

function say(seat, why = "gone") {
  const line = document.querySelector("#said");
  if (!line) return;
  line.textContent = line.dataset[why].replace("{seat}", `${seat.closest(".row").dataset.row} ${seat.getAttribute("aria-label").split(",")[0]}`);
  toast(line.textContent);
}

// Whoever touches a seat that is not free reads why. Such an input hears no click, so the page listens for the finger.
addEventListener("pointerup", (event) => {
  const seat = document.elementFromPoint(event.clientX, event.clientY);
  if (seat?.matches(".row input:disabled:not([data-mine])")) say(seat, seat.classList.contains("s") ? "s" : "h");
});

function chosen() {
  const bar = document.querySelector(".hall .act");
  if (!bar) return;
  const ticked = all(".row input:checked");
  const sum = ticked.reduce((total, seat) => total + Number(seat.closest("[data-price]").dataset.price), 0);
  const words = bar.querySelector(".chosen");
  words.textContent = ticked.length
    ? (ticked.length === 1 ? words.dataset.one : words.dataset.many).replace("{n}", ticked.length)
    : words.dataset.none;
  const money = bar.querySelector(".sum");
  money.textContent = ticked.length && sum
    ? money.dataset.zero.replace(/0(\.0+)?$/, (zero) => grouped(sum, Math.max(0, zero.length - 2)))
    : "";
}
addEventListener("change", (event) => {
  if (event.target.matches?.(".row input")) chosen();
});

// One tab stop a section. Only when somebody tabs: a change to each of 400 seats makes a slow phone stand still.
function rove() {
  for (const section of all(".sec")) {
    const seats = all(".row input", section);
    const free = seats.filter((seat) => !seat.disabled);
    // Where nothing can be taken, the keyboard scrolls the rows themselves.
    const rows = section.querySelector(".rows");
    if (free.length) rows.removeAttribute("tabindex");
    else rows.tabIndex = 0;
    const here = free.find((seat) => seat === document.activeElement);
    const stop = here ?? free.find((seat) => seat.getAttribute("tabindex") === "0") ?? free[0];
    for (const seat of seats) {
      const index = seat === stop ? "0" : "-1";
      if (seat.getAttribute("tabindex") !== index) seat.setAttribute("tabindex", index);
    }
  }
}
addEventListener("keydown", ({ key }) => key === "Tab" && rove(), { capture: true });

addEventListener("keydown", (event) => {
  const seat = event.target;
  if (!seat.matches?.(".row input") || event.altKey || event.ctrlKey || event.metaKey) return;
  const row = seat.closest(".row");
  const rows = all(".row", seat.closest(".sec"));
  const column = all("input", row).indexOf(seat);
  let to;
  if (event.key === "ArrowRight" || event.key === "ArrowLeft") {
    const free = all("input", row).filter((one) => !one.disabled);
    to = free[free.indexOf(seat) + (event.key === "ArrowRight" ? 1 : -1)];
  } else if (event.key === "ArrowUp" || event.key === "ArrowDown") {
    const step = event.key === "ArrowDown" ? 1 : -1;
    for (let at = rows.indexOf(row) + step; rows[at] && !to; at += step) {
      const free = all("input", rows[at]).filter((one) => !one.disabled);
      const near = (one) => Math.abs(all("input", rows[at]).indexOf(one) - column);
      to = free.sort((one, other) => near(one) - near(other))[0];
    }
  } else return;
  event.preventDefault();
  if (!to) return;
  seat.tabIndex = -1;
  to.tabIndex = 0;
  to.focus();
});

// Whoever was just refused a seat sees for a moment which one; then it is one of others like any.
const calm = () => all(".row .c").forEach((seat) => seat.classList.remove("c"));
setTimeout(calm, 5000);

// ---- Plan or list, small or large: as it was chosen before.

function look() {
  for (const one of all(".pick")) {
    const kept = chose(one.name);
    if (kept !== null) one.checked = kept === one.value;
  }
}
addEventListener("change", ({ target }) => {
  if (target.matches?.(".pick")) chose(target.name, target.checked ? target.value : "");
});
addEventListener("htmx:after:swap", look);
addEventListener("htmx:after:swap", () => {
  const found = document.querySelector("#found");
  const count = document.querySelector(".chips [aria-current] span")?.textContent;
  const line = count && found.dataset.found.replace("{count}", count);
  if (line && found.textContent !== line) found.textContent = line;
});
look();

// A toast stays until it is read; while somebody is on it, longer.
function toast(text) {
  document.querySelector(".toast")?.remove();
  const note = document.createElement("p");
  note.className = "toast";
  note.textContent = text;
  document.body.append(note);
  fade(note);
}
function fade(note) {
  setTimeout(() => (note.matches(":hover, :focus-within") ? fade(note) : note.remove()), 8000);
}
all(".toast").forEach(fade);

// Times are the venue's. The server says whose time it is to a reader in another zone, so it must know the reader's.
// Where the clock says something new, and after the page has come to rest: it costs a slow phone a tenth of a second.
const offset = String(new Date().getTimezoneOffset());
if (!document.cookie.includes("zone=") || chose("offset") !== offset)
  setTimeout(() => {
    document.cookie = `zone=${Intl.DateTimeFormat().resolvedOptions().timeZone}; path=/; max-age=31536000; samesite=lax${location.protocol === "https:" ? "; secure" : ""}`;
    chose("offset", offset);
  }, 3000);

// ---- What only some browsers can: share, and keep the screen awake while a ticket is shown.

function shareable() {
  if (navigator.share) all(".share").forEach((button) => (button.hidden = false));
}
addEventListener("htmx:after:swap", shareable);
addEventListener("htmx:after:history:restore", shareable);
shareable();
addEventListener("click", async ({ target }) => {
  const button = target.closest?.(".share");
  if (!button) return;
  const what = { title: button.dataset.title, text: button.dataset.title };
  try {
    if (button.dataset.file) {
      const picture = await (await fetch(button.dataset.file)).blob();
      what.files = [new File([picture], "ticket.png", { type: picture.type })];
    } else what.url = location.href;
    await navigator.share(what);
  } catch (error) {
    if (error.name !== "AbortError") button.hidden = true;
  }
});

async function stayAwake() {
  if (document.querySelector(".paper .qr") && document.visibilityState === "visible")
    await navigator.wakeLock?.request("screen").catch(() => {}); // low battery: the screen may sleep
}
addEventListener("visibilitychange", stayAwake);
stayAwake();

// The code alone on a white screen; a tap or Escape ends it. Swiping a ticket turns to the order's next one.
const whole_code = document.querySelector("a.whole");
whole_code?.addEventListener("click", (event) => {
  event.preventDefault();
  const screen = document.createElement("dialog");
  screen.className = "bright";
  const hint = document.createElement("p");
  hint.textContent = whole_code.dataset.bright;
  screen.append(whole_code.firstElementChild.cloneNode(), hint);
  screen.addEventListener("click", () => screen.close());
  screen.addEventListener("close", () => screen.remove());
  document.body.append(screen);
  screen.showModal();
});

let finger = null;
addEventListener("touchstart", (event) => {
  const one = event.touches.length === 1 && event.target.closest?.(".paper");
  finger = one ? event.touches[0] : null;
}, { passive: true });
addEventListener("touchend", (event) => {
  if (!finger) return;
  const end = event.changedTouches[0];
  const across = end.clientX - finger.clientX;
  if (Math.abs(across) > 60 && Math.abs(end.clientY - finger.clientY) < 40)
    document.querySelector(`.turn [rel=${across < 0 ? "next" : "prev"}]`)?.click();
  finger = null;
}, { passive: true });

// ---- Paying: what is seen to be wrong is said beside its field before anything is sent; the server checks it all again.

const sum = (digits) => [...digits].reverse().reduce((total, digit, at) => {
  const one = Number(digit) * (1 + (at % 2));
  return total + (one > 9 ? one - 9 : one);
}, 0);

function wrong(field) {
  const text = field.dataset.wrong;
  if (!field.validity.valid) return text;
  if (field.name === "card_number") return sum(field.value.replace(/\D/g, "")) % 10 ? text : "";
  if (field.name !== "card_expiry") return "";
  const digits = field.value.replace(/\D/g, ""); // 129, 0129, 12029 or 012029: a month has one digit or two
  const now = new Date();
  const over = new Date(2000 + Number(digits.slice(-2)), digits.slice(0, digits.length % 2 ? 1 : 2), 1);
  return over <= now ? field.form.dataset.past : "";
}

function mark(field) {
  const text = wrong(field);
  document.getElementById(`${field.id}-error`).textContent = text;
  if (text) field.setAttribute("aria-invalid", "true");
  else field.removeAttribute("aria-invalid");
  return text;
}

const pay = document.querySelector("#pay");
if (pay) {
  pay.noValidate = true;
  pay.addEventListener("submit", (event) => {
    const first = all("[data-wrong]", pay).filter(mark)[0];
    const button = document.querySelector("[form=pay][data-busy]");
    if (first || button.matches("[aria-busy]")) {
      event.preventDefault();
      first?.focus();
      return;
    }
    const label = button.textContent;
    button.setAttribute("aria-busy", "true");
    button.textContent = button.dataset.busy;
    // Whoever is still here then has stopped it: sent again with the same key, it is the same purchase.
    setTimeout(() => {
      button.removeAttribute("aria-busy");
      button.textContent = label;
    }, 15000);
  });
  pay.addEventListener("input", ({ target }) => target.matches("[aria-invalid]") && mark(target));
  // A page that comes back out of the browser's memory was paid from already, perhaps.
  addEventListener("pageshow", (event) => event.persisted && location.reload());
}

// ---- The tickets have come: said aloud, in the page's title, with a short sound and a vibration for whoever wants them.

const signal = document.querySelector("#signal");
if (signal) {
  const kept = chose("signal");
  signal.checked = kept ? kept === "on" : !matchMedia("(prefers-reduced-motion: reduce)").matches;
  signal.closest("label").hidden = false;
  signal.addEventListener("change", () => chose("signal", signal.checked ? "on" : "off"));
}

async function ring() {
  navigator.vibrate?.(200);
  const audio = new AudioContext();
  await audio.resume();
  const tone = audio.createOscillator();
  const loudness = audio.createGain();
  loudness.gain.value = 0.1;
  tone.frequency.value = 880;
  tone.connect(loudness).connect(audio.destination);
  tone.start();
  tone.stop(audio.currentTime + 0.15);
  tone.onended = () => audio.close();
}

const order = () => document.querySelector(".order")?.dataset.status;
let known = order();
function news() {
  const status = order();
  if (!status || status === known) return;
  // The tickets are not here before this device has kept them, where it can.
  if (status === "COMPLETED" && document.body.matches(".keeps:not(.kept, .unkept)")) return;
  known = status;
  const line = document.querySelector(".order .state");
  document.querySelector("#news").textContent = line?.textContent ?? "";
  if (status === "PENDING" || status === "PROCESSING") return;
  const done = status === "COMPLETED";
  document.title = (done ? "✓ " : "▲ ") + document.querySelector("#live").dataset.title;
  if (done && signal?.checked) ring().catch(() => {}); // a browser may forbid sound before the first tap
  signal?.closest("label").remove();
}
addEventListener("htmx:after:swap", news);
addEventListener("htmx:ws:after:message:incoming", news);
addEventListener("ticketbuster:kept", news);

// Scripts come one by one. On a slow line htmx may have looked at the page before its socket extension was there,
// or the socket may have opened before anybody here listened.
setTimeout(() => {
  const place = document.querySelector("[hx-ws\\:connect]");
  if (!place || !window.htmx) return;
  if (!place._htmx?.ws) htmx.process(place);
  const connection = place._htmx.ws?.connection;
  if (connection?.socket?.readyState === WebSocket.OPEN && !live.socket) connected({ detail: { connection } });
});

chosen();
poll();
