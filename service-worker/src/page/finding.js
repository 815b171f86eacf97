// Search, kinds and order of the list without a network: over every event that a kept list shows.
import { isOnline, onChange, probe } from "./connection.js";
import { shape } from "./talk.js";

const TOP_PX = 200;

const plain = (text) => text.normalize("NFD").replace(/[\u0300-\u036f]/g, "").toLowerCase();

// Every row of every kept list in this page's language and account's, each event once, the newest copy of it.
async function rows() {
  const cache = await caches.open("lists");
  const found = new Map();
  for (const key of await cache.keys()) {
    const of = new URL(key.url).searchParams.get("__of");
    if (of !== `${document.body.dataset.account ?? "-"}.${document.documentElement.lang}`) continue;
    const answer = await cache.match(key);
    const at = answer?.headers.get("X-Saved-At") ?? "";
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    for (const row of page.querySelectorAll(".bill")) {
      const address = row.querySelector("h2 a")?.getAttribute("href");
      // The pasted one is drawn for the head of the list: only where no other copy is kept.
      const better = !found.has(address) || (found.get(address).row.matches(".lead") && !row.matches(".lead"));
      if (address && (better || (at > found.get(address).at && !row.matches(".lead")))) found.set(address, { row, at });
    }
  }
  return [...found.values()].map(({ row }) => row);
}

const started = (row) => row.querySelector("time")?.getAttribute("datetime") ?? "";
const price = (row) => Number(row.dataset.price ?? 0);

export async function find(query) {
  const list = document.querySelector("#results .bills");
  if (!list) return;
  const words = plain(query.get("q") ?? "").split(/\s+/).filter(Boolean);
  const kind = query.get("category");
  const matching = (await rows()).filter((row) => {
    const text = plain(`${row.querySelector("h2").textContent} ${row.querySelector(".place, .when span")?.textContent ?? ""}`);
    return words.every((word) => text.includes(word)) && (!kind || row.classList.contains(`k-${kind}`));
  });
  const way = query.get("order") === "desc" ? -1 : 1;
  matching.sort((one, other) =>
    query.get("sort") === "price" ? way * (price(one) - price(other)) : way * (started(one) < started(other) ? -1 : 1),
  );
  // Pasted large, it heads the list as it does with a network.
  const large = query.get("sort") === "price" || way < 0 ? -1 : matching.findIndex((row) => row.matches(".lead"));
  if (large > 0) matching.unshift(...matching.splice(large, 1));
  list.replaceChildren(...matching.map((row) => document.importNode(row, true)));
  if (!matching.length) list.append(await shape("nothing-found"));
  for (const more of document.querySelectorAll("#results .more")) more.remove();
  for (const link of document.querySelectorAll("#results nav a")) {
    const there = new URL(link.href).searchParams;
    const same = (name, usual) => (there.get(name) ?? usual) === (query.get(name) ?? usual);
    const here = link.closest(".chips") ? same("category", "") : same("sort", "date") && same("order", "asc");
    if (here) link.setAttribute("aria-current", "true");
    else link.removeAttribute("aria-current");
  }
}

// The list was shown as it was last seen, and is another one by now: it is set in while nobody has gone on from it.
async function refresh() {
  if (scrollY > TOP_PX || document.activeElement?.matches("input") || !(await probe())) return;
  htmx.ajax("GET", location.pathname + location.search, { target: "#results", swap: "innerHTML", headers: { "Cache-Control": "no-cache" } });
}

export function follow() {
  if (!document.querySelector("#results .bills")) return;
  navigator.serviceWorker.addEventListener("message", ({ data }) => data?.type === "changed" && refresh());
  const away = () => !isOnline() && document.body.matches(".offline");
  const go = (query) => {
    history.replaceState(history.state, "", `/events?${query}`);
    return find(query);
  };
  // What htmx would ask for, and what a tap would open.
  addEventListener("htmx:before:request", (event) => {
    const action = event.detail.ctx?.request?.action ?? "";
    if (!away() || !/^\/(events)?(\?|$)/.test(action.replace(location.origin, ""))) return;
    event.preventDefault();
    const form = document.querySelector("form.search");
    const query = new URLSearchParams(location.search);
    query.set("q", form.elements.q.value);
    go(query);
  });
  document.querySelector("form.search")?.addEventListener("submit", (event) => {
    if (!away()) return;
    event.preventDefault();
    const query = new URLSearchParams(location.search);
    query.set("q", event.target.elements.q.value);
    go(query);
  });
  addEventListener("click", (event) => {
    const link = event.target.closest?.("#results nav a");
    if (!link || !away()) return;
    event.preventDefault();
    go(new URL(link.href).searchParams);
  });
  onChange(() => away() && find(new URLSearchParams(location.search)));
}
