// Tickets on the device: an order's page, each ticket's page and picture, and the list of orders, kept until the event is over.
import { keep, keyOf } from "./caches.js";
import { ask } from "./purchases.js";
import * as store from "./store.js";
import { tell } from "./store.js";
import { account } from "./whose.js";

export const ORDERS_MAX = 60;
const AFTER_MS = 12 * 3600000;
const SYNC_MS = 60000;
const NAME = "tickets";
const BOUGHT_TRIES = 15;
const BOUGHT_PAUSE_MS = 1000;

const addresses = (order) => [
  "/orders",
  `/orders/${order.order_uuid}`,
  ...order.tickets.flatMap(({ ticket_uuid }) => [`/tickets/${ticket_uuid}`, `/tickets/${ticket_uuid}.png`]),
];

const isOver = (order) => Date.parse(order.event_ends_at ?? order.ends_at) + AFTER_MS < Date.now();

async function lay(address) {
  const answer = await ask(address, { redirect: "manual" });
  if (!answer.ok) throw new Error(`${address}: ${answer.status}`);
  if (!(await keep(NAME, address, answer))) throw new Error("no room");
}

// Lays a finished order's tickets on the device. Gives the order with its codes, for the page to verify; throws if any is not here.
export async function keepOrder(order_uuid) {
  let answer;
  try {
    answer = await ask(`/api/orders/${order_uuid}`);
  } catch (error) {
    const here = await store.get("orders", order_uuid);
    if (!here) throw error;
    return { order: here, first: false };
  }
  if (!answer.ok) throw new Error(`order: ${answer.status}`);
  const order = await answer.json();
  if (order.status !== "COMPLETED") throw new Error(order.status);
  await Promise.all(addresses(order).map(lay));
  const keys = await ask("/.well-known/ticket-keys.json");
  if (!keys.ok || !(await keep("keys", "/.well-known/ticket-keys.json", keys))) throw new Error("keys");
  const before = await store.get("orders", order_uuid);
  await store.put("orders", { ...brief(order), stored_at: Date.now(), release: self.RELEASE });
  return { order, first: !before };
}

const brief = ({ order_uuid, status, event_id, event_title: title, event_ends_at: ends_at, tickets }) => ({
  order_uuid,
  status,
  event_id,
  title,
  ends_at,
  tickets: tickets.map(({ ticket_uuid, code }) => ({ ticket_uuid, code })),
});

// A purchase that was sent from here without its page: its tickets are drawn in a moment, and laid in then.
export async function keepBought() {
  const bought = (await store.all("purchases")).filter(({ outcome }) => outcome?.kind === "bought").map(({ outcome }) => outcome.order_uuid);
  for (let tries = 0; tries < BOUGHT_TRIES; tries += 1) {
    const missing = [];
    for (const order_uuid of bought) if (!(await store.get("orders", order_uuid))) missing.push(order_uuid);
    if (!missing.length) return;
    for (const order_uuid of missing) await keepOrder(order_uuid).catch(() => {});
    await new Promise((resolve) => setTimeout(resolve, BOUGHT_PAUSE_MS));
  }
}

async function drop(order) {
  const cache = await caches.open(NAME);
  for (const address of addresses(order).slice(1)) await cache.delete(await keyOf(new Request(new URL(address, self.location.origin))));
  await store.remove("orders", order.order_uuid);
}

// What was bought anywhere lies here afterwards, what was cancelled or is over does not. Tells what is new.
export async function syncTickets({ now = false } = {}) {
  return navigator.locks.request("tickets", { ifAvailable: true }, async (lock) => {
    if (!lock || (!now && Date.now() - ((await store.fact("synced_at")) ?? 0) < SYNC_MS)) return;
    const kept = new Map((await store.all("orders")).map((order) => [order.order_uuid, order]));
    for (const order of kept.values()) if (isOver(order)) await drop(order);
    if ((await account()) === "-") return;
    const answer = await ask(`/api/orders?limit=${ORDERS_MAX}`);
    if (!answer.ok) return;
    await store.setFact("synced_at", Date.now());
    const { orders } = await answer.json();
    for (const order of orders) {
      const here = kept.get(order.order_uuid);
      if (order.status !== "COMPLETED") {
        if (!here) continue;
        await drop(here);
        if (order.status === "CANCELLED") await tell({ kind: "cancelled", title: order.event_title, order_uuid: order.order_uuid });
      } else if (!isOver(order) && here?.release !== self.RELEASE) {
        const { first } = await keepOrder(order.order_uuid);
        if (first) await tell({ kind: "ticket", title: order.event_title, order_uuid: order.order_uuid, count: order.tickets.length });
      }
    }
  });
}
