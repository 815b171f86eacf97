// The two forms that may wait for the network: a purchase, and a choice of seats. A card's number is never laid by.
import { away } from "./caches.js";
import { ask, lay, sendNow, wait } from "./purchases.js";
import * as store from "./store.js";
import { account } from "./whose.js";

const see = (address) => Response.redirect(new URL(address, self.location.origin), 303);
const waiting = async (key) => (await wait(), see(`/purchases/${encodeURIComponent(key)}`));

// The form as it was sent, so that the server's page answers it.
const sent = (request, form) =>
  ask(request.url, { method: "POST", body: new URLSearchParams([...form]), redirect: "manual", headers: { Accept: "text/html" } });

const about = (form) => ({
  seats: form.getAll("seat").map(Number),
  title: form.get("title") ?? "",
  place: form.get("place") ?? "",
  money: form.get("money") ?? "",
});

export async function bought({ request }) {
  const form = await request.clone().formData();
  const [key, total, method] = ["idempotency_key", "total", "payment_method"].map((name) => form.get(name) ?? "");
  const free = Number(total) === 0;
  const purchase = { ...about(form), key, total, method, free, account: form.get("account") ?? (await account()), event_id: Number(form.get("event_id")) };
  if (!key || !(await lay({ ...purchase, sent: !method && !free }))) return sent(request, form);
  return method || free ? asked(request, form, key) : withCard(request, form, key);
}

// With what it is paid with kept at the bank it can be sent as often as it takes: the key makes it one.
async function asked(request, form, key) {
  const purchase = await sendNow(key);
  if (purchase?.state === "signin") return see(`/login?next=/purchases/${encodeURIComponent(key)}`);
  if (purchase?.state !== "done") return waiting(key);
  if (purchase.outcome.kind === "bought") {
    await settled(key);
    return see(`/orders/${purchase.outcome.order_uuid}`);
  }
  // Refused: the checkout says so beside the form, with the clock and another card's field.
  try {
    const answer = await sent(request, form);
    if (away(answer)) return waiting(key);
    await settled(key);
    return answer;
  } catch {
    return waiting(key);
  }
}

async function withCard(request, form, key) {
  try {
    const answer = await sent(request, form);
    if (away(answer) || answer.status === 429) return waiting(key);
    if (answer.type !== "opaqueredirect") {
      await settled(key);
      return answer;
    }
    // On to the order, or to sign in: which of them, the key knows.
    const purchase = await sendNow(key, { look: true });
    if (purchase?.outcome?.kind === "bought") {
      await settled(key);
      return see(`/orders/${purchase.outcome.order_uuid}`);
    }
    if (purchase?.state === "done" || purchase?.state === "signin") await settled(key);
    return answer;
  } catch {
    return waiting(key);
  }
}

// Whoever stands before its answer has been told.
const settled = (key) => store.remove("purchases", key);

export async function chosen({ request }) {
  const form = await request.clone().formData();
  try {
    const answer = await sent(request, form);
    if (!away(answer)) return answer;
  } catch {
    // No network: the choice waits.
  }
  const key = crypto.randomUUID();
  const event_id = Number(new URL(request.url).pathname.split("/")[2]);
  const choice = { ...about(form), key, event_id, method: "", free: false, account: await account() };
  if (!choice.seats.length || !(await lay(choice))) return see(`/events/${event_id}`);
  return waiting(key);
}
