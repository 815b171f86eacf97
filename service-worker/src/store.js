// What the app keeps on the device beside the caches: purchases that wait, orders whose tickets are here, whose phone it is.
import { openDB } from "idb";

const NAME = "ticketbuster";
const VERSION = 1;

// Purchases that wait are few: beyond this many one goes as its form does, without a second try.
export const PURCHASES_MAX = 20;
export const NEWS_MAX = 50;

let opening;
const db = () =>
  (opening ??= openDB(NAME, VERSION, {
    upgrade(made) {
      made.createObjectStore("purchases", { keyPath: "key" });
      made.createObjectStore("orders", { keyPath: "order_uuid" });
      made.createObjectStore("news", { keyPath: "id", autoIncrement: true });
      made.createObjectStore("facts");
    },
    // Another tab wants a newer version: whoever needs this one opens it again.
    blocking() {
      opening?.then((open) => open.close());
      opening = undefined;
    },
    terminated() {
      opening = undefined;
    },
  }).catch((error) => {
    opening = undefined;
    throw error;
  }));

export const get = async (store, key) => (await db()).get(store, key);
export const all = async (store) => (await db()).getAll(store);
export const put = async (store, value) => (await db()).put(store, value);
export const remove = async (store, key) => (await db()).delete(store, key);
export const fact = async (name) => (await db()).get("facts", name);
export const setFact = async (name, value) => (await db()).put("facts", value, name);

// Reads, changes and writes one row in one transaction; gives what is there afterwards. `change` returns undefined to leave it.
export async function change(store, key, how) {
  const transaction = (await db()).transaction(store, "readwrite");
  const before = await transaction.store.get(key);
  const after = how(before);
  if (after !== undefined) await transaction.store.put(after);
  await transaction.done;
  return after ?? before;
}

// Everything that belongs to an account, for good.
export async function forget() {
  const transaction = (await db()).transaction(["purchases", "orders", "news"], "readwrite");
  await Promise.all(["purchases", "orders", "news"].map((name) => transaction.objectStore(name).clear()));
  await transaction.done;
}

// Something that changed while nobody looked; the next page that somebody sees tells it.
export async function tell(news) {
  await put("news", { at: Date.now(), ...news });
  const known = await all("news");
  for (const old of known.slice(0, Math.max(0, known.length - NEWS_MAX))) await remove("news", old.id);
}
