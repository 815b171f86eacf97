// Tickets on the device: an order's page, each ticket's page and picture, and the list of orders, kept until the event is over.
import { dropAt, keptAt, keys, tickets } from "./caches.js";
import { ANSWER_MS, ask } from "./purchases.js";
import * as store from "./store.js";
import { tell } from "./store.js";
import { account, eraNow } from "./whose.js";

const ORDERS_MAX = 60;
const AFTER_MS = 12 * 3600000;
const SYNC_MS = 60000;
const NAME = "tickets";
const KEYS = "/.well-known/ticket-keys.json";
// A minute has a hundred requests for everything that a buyer does: the rest is laid in a minute later.
const ORDERS_A_SYNC = 5;
// Workbox wants an event to keep alive; the one that called us waits for us as it is.
const CALLED = { waitUntil() {} };
const BOUGHT_TRIES = 15;
const BOUGHT_PAUSE_MS = 1000;

const pages = (order) => order.tickets.map(({ ticket_uuid }) => `/tickets/${ticket_uuid}`);
const addresses = (order) => [`/orders/${order.order_uuid}`, ...pages(order), ...pages(order).map((one) => `${one}.png`)];

const isOver = (order) => Date.parse(order.event_ends_at ?? order.ends_at) + AFTER_MS < Date.now();

// Fetched and kept as if a page had asked, with the bounds of its kind. A full device gives up lists and maps, then it is tried again.
async function lay(address, kind = tickets, again = true) {
  const request = new Request(address, { credentials: "same-origin", redirect: "manual", signal: AbortSignal.timeout(ANSWER_MS) });
  try {
    const [answer] = await Promise.all(kind.handleAll({ request, event: CALLED }));
    // A voided ticket of a live order has no picture any more.
    if (!answer.ok && !(answer.status === 404 && address.endsWith(".png"))) throw new Error(`${address}: ${answer.status}`);
  } catch (error) {
    if (!again || error.name !== "QuotaExceededError") throw error;
    await lay(address, kind, false);
  }
}
const layShared = () => Promise.all([lay("/orders"), lay(KEYS, keys)]);

// Lays a finished order's tickets on the device. Gives the order with its codes, for the page to verify; throws if any is not here.
export async function keepOrder(order_uuid) {
  let answer;
  try {
    answer = await ask(`/api/orders/${order_uuid}`);
  } catch (error) {
    const here = await store.get("orders", order_uuid);
    if (!here) throw error;
    return here;
  }
  if (!answer.ok) throw new Error(`order: ${answer.status}`);
  const order = await answer.json();
  if (order.status !== "COMPLETED") throw new Error(order.status);
  await layIn(order);
  await layShared();
  return order;
}

// The pages and pictures of an order, and that they are here.
async function layIn(order) {
  const era = eraNow();
  await Promise.all(addresses(order).map((address) => lay(address)));
  // Whoever asked has left meanwhile: none of it was kept.
  if (era !== eraNow()) throw new Error("signed out");
  await store.put("orders", { ...brief(order), release: self.RELEASE });
}

// The device may have cleared away what its books still name.
const lies = async (order) => order?.release === self.RELEASE && (await Promise.all(pages(order).map((one) => keptAt(NAME, one)))).every(Boolean);

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
  return navigator.locks.request("bought", { ifAvailable: true }, async (lock) => {
    if (!lock) return;
    for (let tries = 0; tries < BOUGHT_TRIES; tries += 1) {
      const open = (await store.all("purchases")).filter(({ outcome, laid }) => outcome?.kind === "bought" && !laid);
      if (!open.length) return;
      for (const { key, outcome } of open) {
        const ended = await keepOrder(outcome.order_uuid).then(
          () => true,
          ({ message }) => message === "FAILED" || message === "CANCELLED",
        );
        if (ended) await store.change("purchases", key, (now) => now && { ...now, laid: true });
      }
      await new Promise((resolve) => setTimeout(resolve, BOUGHT_PAUSE_MS));
    }
  });
}

async function drop(order) {
  for (const address of addresses(order)) await dropAt(NAME, address);
  await store.remove("orders", order.order_uuid);
}

// What was bought anywhere lies here afterwards, what was cancelled or is over does not. Tells what is new.
export async function syncTickets({ now = false } = {}) {
  return navigator.locks.request("tickets", { ifAvailable: !now }, async (lock) => {
    if (!lock || (!now && Date.now() - ((await store.fact("synced_at")) ?? 0) < SYNC_MS)) return;
    const kept = new Map((await store.all("orders")).map((order) => [order.order_uuid, order]));
    for (const order of kept.values()) if (isOver(order)) await drop(order);
    if ((await account()) === "-") return;
    const answer = await ask(`/api/orders?limit=${ORDERS_MAX}`);
    if (!answer.ok) return;
    await store.setFact("synced_at", Date.now());
    const { orders } = await answer.json();
    let laid = 0;
    for (const order of orders) {
      const here = kept.get(order.order_uuid);
      if (order.status !== "COMPLETED") {
        if (!here) continue;
        await drop(here);
        if (order.status === "CANCELLED") await tell({ kind: "cancelled", title: order.event_title, order_uuid: order.order_uuid });
      } else if (!isOver(order) && laid < ORDERS_A_SYNC && !(await lies(here))) {
        laid += 1;
        // One that cannot be laid in keeps no other from it.
        const done = await layIn(order).then(
          () => true,
          (error) => console.warn(error),
        );
        // What is bought before one's eyes needs no news; what was meanwhile does.
        if (done && !here && now) await tell({ kind: "ticket", title: order.event_title, order_uuid: order.order_uuid, count: order.tickets.length });
      }
    }
    if (laid) await layShared().catch((error) => console.warn(error));
  });
}
