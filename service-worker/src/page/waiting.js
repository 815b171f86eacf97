// Purchases that wait, and what became of them: as cards on "my tickets" and on their own page, as a note everywhere else.
import { all, change, remove, setFact } from "../store.js";
import { mark } from "./keeping.js";
import { isOnline, onChange, probe } from "./connection.js";
import { clock, fill, ownPage, shape, shell, tell, worker } from "./talk.js";

const LOOK_MS = 5000;
const READ_MS = 3000;

const mine = ({ account }) => account === "-" || !document.body.dataset.account || account === document.body.dataset.account;
const purchases = async () => (await all("purchases")).filter(mine).sort((one, other) => other.made_at - one.made_at);

function values(purchase) {
  const { event_id, key, outcome = {}, seats } = purchase;
  return {
    ...purchase,
    until: outcome.until ? clock(outcome.until) : "",
    page: `/purchases/${encodeURIComponent(key)}`,
    event: `/events/${event_id}`,
    checkout: `/events/${event_id}/checkout`,
    order: `/orders/${outcome.order_uuid}`,
    login: `/login?next=${encodeURIComponent(`/purchases/${encodeURIComponent(key)}`)}`,
    count: seats.length,
  };
}

const shapeOf = ({ state, method, free, outcome }) =>
  state === "done" ? `done-${outcome.kind}` : state === "waiting" ? (method || free ? "waiting" : "waiting-hold") : state;

const saysOf = (purchase) => `${purchase.key} ${shapeOf(purchase)}`;

// Gone: the form that took the seats is sent again, and its answer offers equal ones.
function again(card, { event_id, seats }) {
  const form = card.querySelector("form.again");
  if (!form) return;
  form.action = `/events/${event_id}/holds`;
  for (const seat of seats) form.append(Object.assign(document.createElement("input"), { type: "hidden", name: "seat", value: seat }));
}

async function cardOf(purchase) {
  const card = fill(await shape(shapeOf(purchase)), values(purchase)).firstElementChild;
  card.dataset.says = saysOf(purchase);
  again(card, purchase);
  card.querySelector(".withdraw")?.addEventListener("click", () => tell({ type: "withdraw", key: purchase.key }).catch(() => toast(document.body.dataset.failed)));
  card.querySelector(".seen")?.addEventListener("click", () => remove("purchases", purchase.key).then(draw));
  const bell = card.querySelector(".bell");
  if (bell && "Notification" in self) {
    bell.hidden = Notification.permission !== "default";
    bell.addEventListener("click", () => allow(bell));
    if (Notification.permission === "granted") await layWords();
  }
  return card;
}

// The worker says an outcome in the language in which it was asked to.
async function layWords() {
  const words = Object.fromEntries([...(await shape("notifications")).querySelectorAll("[data-kind]")].map((one) => [one.dataset.kind, one.textContent]));
  await setFact("words", words);
}

async function allow(bell) {
  await layWords();
  await Notification.requestPermission();
  bell.hidden = true;
}

const seen = (purchase) => change("purchases", purchase.key, (now) => now && { ...now, told: true });

let drawing = Promise.resolve();
export const draw = () => (drawing = drawing.then(redraw).catch((error) => console.error(error)));

async function redraw() {
  // A page that answers a purchase needs no other word, nor does an order that is seen.
  const { answers } = document.body.dataset;
  if (answers) await remove("purchases", decodeURIComponent(answers));
  const order = document.querySelector(".order[data-status]")?.id;
  for (const { key, outcome } of await purchases())
    if (outcome?.order_uuid && order === `order-${outcome.order_uuid}`) await remove("purchases", key);
  const list = document.querySelector("#waiting");
  if (!list) return note();
  await cards(list);
  if (shell) await kept();
}

// The cards: on a purchase's own page that one, else all. Bought: its page is the order.
async function cards(list) {
  const key = ownPage && decodeURIComponent(location.pathname.split("/")[2]);
  const known = (await purchases()).filter((one) => (ownPage ? one.key === key : !one.told));
  const bought = ownPage && known.find((one) => one.outcome?.kind === "bought");
  if (bought && isOnline()) return location.replace(`/orders/${bought.outcome.order_uuid}`);
  // A card that still says what it said stays where it is: it keeps the focus, and nobody hears it again.
  const shown = new Map([...list.children].map((card) => [card.dataset.says, card]));
  const wanted = await Promise.all(known.map((one) => shown.get(saysOf(one)) ?? cardOf(one)));
  if (ownPage && !known.length) wanted.push(list.querySelector(":scope > :not([data-says])") ?? (await shape("unknown")).firstElementChild);
  for (const card of [...list.children]) if (!wanted.includes(card)) card.remove();
  wanted.forEach((card, place) => list.children[place] !== card && list.insertBefore(card, list.children[place] ?? null));
  // Told is what somebody had the time to read; a page that goes at once has told nothing.
  setTimeout(() => document.hidden || known.filter(({ state }) => state === "done").forEach(seen), READ_MS);
}

// What lies on the device, where the page itself is not kept.
async function kept() {
  if (ownPage) return document.querySelector("#shell").replaceChildren(await shape("own"));
  const list = await keptList();
  const rows = (await all("orders")).map(async (order) => {
    const address = `/orders/${order.order_uuid}`;
    const row = list?.querySelector(`.stubs a[href="${address}"]`)?.closest("li");
    return row ? document.importNode(row, true) : fill(await shape("kept-order"), { ...order, order: address, count: order.tickets.length });
  });
  document.querySelector("#kept-here").replaceChildren(...(await Promise.all(rows)));
  await mark();
}

// The list of orders as it was kept, whose rows have date, place and the stock of their kind.
async function keptList() {
  const cache = await caches.open("tickets");
  const key = (await cache.keys()).find(({ url }) => new URL(url).pathname === "/orders");
  return key && new DOMParser().parseFromString(await (await cache.match(key)).text(), "text/html");
}

// Everywhere else: what happened meanwhile, and that something waits.
async function note() {
  const known = await purchases();
  const outcomes = known.filter(({ state, told }) => state === "done" && !told);
  const news = await all("news");
  const before = document.querySelector(".note.news");
  const says = [...outcomes.map(({ key }) => key), ...news.map(({ id }) => id)].join(" ");
  // Said once, not at every look.
  if (before?.dataset.says === says) return;
  before?.remove();
  if (!says) return;
  const place = (await shape("synchronised")).firstElementChild;
  place.dataset.says = says;
  const lines = place.querySelector("ul");
  for (const one of outcomes) lines.append(fill(await shape(`line-${one.outcome.kind}`), values(one)));
  for (const one of news) lines.append(fill(await shape(`line-${one.kind}`), { ...one, order: `/orders/${one.order_uuid}` }));
  document.querySelector("header.top").after(place);
  place.querySelector("button").addEventListener("click", async () => {
    place.remove();
    await Promise.all(outcomes.map(seen));
    await Promise.all(news.map(({ id }) => remove("news", id)));
  });
}

// While something waits, an open page asks for it to be sent: not each browser does that by itself.
async function nudge() {
  if (!worker() || document.hidden) return;
  const open = (await purchases()).filter(({ state }) => state !== "done");
  if (!open.length) return;
  if (isOnline()) await tell({ type: "send" }).catch(() => {});
  else await probe();
}

export function follow() {
  navigator.serviceWorker.addEventListener("message", ({ data }) => {
    if (data?.type === "news") mark();
    if (data?.type === "purchases" || data?.type === "outcome" || data?.type === "news") draw();
  });
  onChange(draw);
  setInterval(nudge, LOOK_MS);
  draw();
}
