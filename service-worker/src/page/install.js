// The offer to put us on the home screen: to who has bought once or comes back, and never where it would be in the way.

const KEPT = "install";
const VISIT_MS = 30 * 60_000;
const QUIET_MS = 30 * 86_400_000;
const VISITS = 2;

// Where time runs, money is asked for or somebody signs in; over seats to choose and over the code that a gate reads.
const ELSEWHERE = /\/checkout\/?$|^\/(login|provider)(\/|$)/;
const IN_THE_WAY = "time[data-ends], #map, .paper .qr, .patience";

// Safari alone: other browsers of an iPhone have the words elsewhere, and most pages inside other apps have none.
const SAFARI = /\bVersion\/[\d.]+ .*\bSafari\//;
const OTHERS = /CriOS|FxiOS|EdgiOS|OPiOS|OPT\/|GSA\/|DuckDuckGo|Ddg\//;

let memory = {}; // what a browser without storage knows: this page alone
let prompting = null;
let note = null;
let asked = false; // in this page

function known() {
  try {
    memory = { ...memory, ...JSON.parse(localStorage.getItem(KEPT)) };
  } catch {
    // Nothing was kept, or not by us.
  }
  return memory;
}

function keep(news) {
  memory = { ...known(), ...news };
  try {
    localStorage.setItem(KEPT, JSON.stringify(memory));
  } catch {
    // This page knows it all the same.
  }
}

const installed = () => navigator.standalone === true || matchMedia("(display-mode: standalone)").matches;

function onIphone() {
  const agent = navigator.userAgent;
  // An iPad says that it is a Mac, but no Mac is touched.
  const device = /iPhone|iPad|iPod/.test(agent) || (/Macintosh/.test(agent) && navigator.maxTouchPoints > 1);
  return device && SAFARI.test(agent) && !OTHERS.test(agent);
}

// A visit begins on another day, or half an hour after the last page.
function visit() {
  const now = Date.now();
  const { seen = 0, visits = 0 } = known();
  const same = now - seen <= VISIT_MS && new Date(seen).toDateString() === new Date(now).toDateString();
  keep({ seen: now, visits: same ? visits : Math.min(visits + 1, VISITS) });
}

const inTheWay = () => ELSEWHERE.test(location.pathname) || document.querySelector(IN_THE_WAY) !== null;

function welcome() {
  const { ordered, visits = 0, quiet = 0 } = known();
  return (ordered || visits >= VISITS) && Date.now() >= quiet;
}

function look() {
  if (document.querySelector(".order[data-status=COMPLETED], body[data-status=COMPLETED]") && !known().ordered) keep({ ordered: true });
  if (note && inTheWay()) return remove();
  const way = prompting ? "prompt" : onIphone() ? "steps" : null;
  if (way && !asked && !installed() && !inTheWay() && welcome()) show(way);
}

function show(way) {
  const words = document.querySelector("template#install");
  if (!words || document.querySelector(".install")) return;
  asked = true;
  note = words.content.firstElementChild.cloneNode(true);
  for (const part of note.querySelectorAll("[data-way]")) if (part.dataset.way !== way) part.remove();
  note.querySelector(".close").addEventListener("click", dismiss);
  note.querySelector("[data-install]")?.addEventListener("click", install);
  note.addEventListener("keydown", ({ key }) => key === "Escape" && dismiss());
  document.querySelector("main").after(note);
  document.body.style.setProperty("--offer", `${note.offsetHeight + 16}px`);
  document.body.classList.add("offers");
}

function remove() {
  if (!note) return;
  const focused = note.contains(document.activeElement);
  note.remove();
  note = null;
  document.body.classList.remove("offers");
  if (focused) document.querySelector("main").focus({ preventScroll: true });
}

function dismiss() {
  keep({ quiet: Date.now() + QUIET_MS });
  remove();
}

// The browser's own question can be put once, and only at a tap.
async function install() {
  const question = prompting;
  prompting = null;
  remove();
  await question.prompt();
  const { outcome } = await question.userChoice;
  if (outcome === "dismissed") keep({ quiet: Date.now() + QUIET_MS });
}

// Call once in a page, early: Chromium says only once that it can install.
export function offerInstall() {
  addEventListener("beforeinstallprompt", (event) => {
    event.preventDefault();
    prompting = event;
    look();
  });
  addEventListener("appinstalled", () => {
    prompting = null;
    remove();
  });
  for (const change of ["htmx:after:swap", "htmx:ws:after:message:incoming"]) addEventListener(change, look);
  visit();
  look();
}
