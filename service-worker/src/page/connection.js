// Is there a network? Only an answer of ours proves it: a phone's own word means that there is some Wi-Fi, or was.
import { ago, fill, ownPage, shape, shell, since, tell } from "./talk.js";

const PROBE_MS = 4000;
const AGAIN_MS = 3000;
const AGAIN_MS_MAX = 30000;

const saved = document.body.dataset.saved;
// A purchase's own page is drawn here, and "/offline" is itself: neither is a stand-in for what the network would bring.
let standIn = saved || (shell && !ownPage && !location.pathname.startsWith("/offline"));
const told = new EventTarget();

let online = saved || shell ? null : true;
let pause = AGAIN_MS;
let timer = 0;
let asking = null;

export const isOnline = () => online === true;
export const onChange = (listener) => told.addEventListener("change", listener);

// A hotel's page answers with 200 to everything; it does not know our words.
async function proof() {
  try {
    const answer = await fetch("/health", { cache: "no-store", signal: AbortSignal.timeout(PROBE_MS) });
    return answer.ok && (await answer.json()).status === "alive";
  } catch {
    return false;
  }
}

export function probe() {
  return (asking ??= proof().then(async (answered) => {
    asking = null;
    clearTimeout(timer);
    if (answered !== online) await turn(answered);
    if (answered) return true;
    age();
    timer = setTimeout(() => (document.hidden ? null : probe()), pause);
    pause = Math.min(AGAIN_MS_MAX, pause * 1.5);
    return false;
  }));
}

async function turn(now) {
  const before = online;
  online = now;
  document.body.classList.toggle("offline", !now);
  told.dispatchEvent(new Event("change"));
  if (now) {
    pause = AGAIN_MS;
    document.querySelector(".note.offline")?.remove();
    const done = tell({ type: "online", back: true }).catch(() => {});
    // What stands in for a page has nothing to wait for; what was sent meanwhile, the page itself will tell.
    if (!shell) await done;
    // What was kept has served; the newest is there. Whoever types or pays is not disturbed. A list that came at once
    // although there was a network is no stand-in, and what a reload has just brought is not brought again.
    const reloaded = performance.getEntriesByType("navigation")[0]?.type === "reload";
    // A ticket is shown to somebody just now, perhaps.
    const stays = document.querySelector("#results .bills, .paper");
    const served = standIn && (before === false || (!reloaded && !stays));
    // Looked at with a network once, it is an open page like any other, and no later return reloads it.
    standIn = false;
    if (served && !document.activeElement?.matches("input, textarea, select")) location.reload();
  } else if (before !== false) await say();
}

async function say() {
  // The page for "no network" says it in its heading.
  if (shell && !ownPage) return;
  const note = fill(await shape("note"), { at: saved ? since(saved) : "" });
  if (shell) note.querySelector(".now").remove();
  document.querySelector(".note.offline")?.remove();
  document.querySelector("header.top")?.after(note);
  age();
}

// What is kept grows old while it is looked at.
function age() {
  const note = document.querySelector(".note.offline");
  if (!note) return;
  const old = saved ? ago(saved) : "";
  note.querySelector("[data-of=ago]").textContent = old;
  note.querySelector(".then").hidden = !old;
  note.querySelector(".now")?.toggleAttribute("hidden", Boolean(old));
}

export function watch() {
  addEventListener("online", probe);
  addEventListener("offline", probe);
  addEventListener("htmx:ws:close", probe);
  addEventListener("htmx:error", probe);
  addEventListener("visibilitychange", () => !document.hidden && online === false && probe());
  if (online === null) probe();
  else tell({ type: "online" }).catch(() => {});
}
