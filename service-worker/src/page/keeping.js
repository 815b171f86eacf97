// An order is finished when its tickets lie on this device and their signatures hold: until then its page says so.
import { fill, shape, tell, worker } from "./talk.js";

const place = () => document.querySelector(".order[data-status]");
let begun = "";

async function said(id, values = {}) {
  const also = fill(await shape(id), values);
  // In the line that says that they are here: nothing below it moves.
  const line = document.querySelector(".order .finished");
  line?.querySelector(".also")?.remove();
  line?.append(" ", also);
}

async function keep(order_uuid) {
  const order = await tell({ type: "keep", order_uuid });
  const { verify } = await import(document.querySelector("script[data-check]").dataset.check);
  const { keys } = await (await fetch("/.well-known/ticket-keys.json")).json();
  for (const ticket of order.tickets) await verify(ticket, order, keys);
}

function finish(how) {
  document.body.classList.add(how);
  dispatchEvent(new Event("ticketbuster:kept"));
}

export async function look() {
  const order = place();
  if (order?.dataset.status !== "COMPLETED" || begun === order.id) return;
  begun = order.id;
  const order_uuid = order.id.slice("order-".length);
  if (!worker()) {
    await said("cannot-keep").catch(() => {});
    return finish("unkept");
  }
  try {
    await keep(order_uuid);
    await said("kept");
    finish("kept");
    // So that the browser does not clear it away when the device gets full.
    await navigator.storage?.persist?.();
  } catch (error) {
    begun = "";
    console.warn(error);
    await said("not-kept").catch(() => {});
    finish("unkept");
  }
}

// A ticket's page, and the list of orders, say of what lies here that it does.
export async function mark() {
  const lies = async (address) => {
    const url = new URL(address, location.origin);
    url.searchParams.set("__hx", "0");
    const cache = await caches.open("tickets");
    const names = (await cache.keys()).map((key) => key.url);
    const of = document.body.dataset.account ?? "";
    return names.some((name) => name.startsWith(url.href) && name.endsWith(of));
  };
  for (const one of document.querySelectorAll("[data-stored]")) one.hidden = !(await lies(one.dataset.stored));
}

export function watch() {
  for (const what of ["htmx:after:swap", "htmx:ws:after:message:incoming"]) addEventListener(what, look);
  look();
  mark();
}
