// The two forms that may wait for the network: a purchase, and a choice of seats. A card's number is never laid by.
import { away } from "./caches.js";
import { alone, ANSWER_MS, ask, end, later, lay, lookUp, patience, wait } from "./purchases.js";
import * as store from "./store.js";
import { account } from "./whose.js";

const see = (address) => Response.redirect(new URL(address, self.location.origin), 303);

async function waiting(key, ms = 0) {
  await later(key, { wait_ms: ms });
  await wait();
  return see(`/purchases/${encodeURIComponent(key)}`);
}

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
  const purchase = { ...about(form), key, total, method, free: Number(total) === 0, event_id: Number(form.get("event_id")) };
  const owner = form.get("account") ?? (await account());
  // Laid by at once, and as sent: whether it arrived, its key says. Nobody else sends it meanwhile.
  const laid = key && (await lay({ ...purchase, account: owner, sent: true, due_at: Date.now() + ANSWER_MS }));
  return alone(async () => {
    if (!laid) return sent(request, form);
    try {
      const answer = await sent(request, form);
      if (answer.status >= 500 || answer.status === 429) return await waiting(key, patience(answer));
      // Refused: the checkout says so, with the clock and another card's fields.
      return answer.type === "opaqueredirect" ? await led(key, answer) : await answered(key, answer);
    } catch {
      return waiting(key);
    }
  });
}

// On to the order, to sign in, or to wait for the bank: a redirect does not say where to, but the key does.
async function led(key, answer) {
  const found = await lookUp(key);
  // Its page has yet to come: only then is the buyer told, and the record goes (page/waiting.js).
  if (found.kind === "bought") return (await end(key, found), see(`/orders/${found.order_uuid}`));
  return found.again && !found.state ? waiting(key) : settled(key, answer);
}

// Whoever has gone on meanwhile never sees this page: until it is there, the record says how it ended (page/waiting.js).
async function answered(key, answer) {
  // No page of ours: a network's own, or a proxy's. It says nothing of the purchase.
  if (!answer.headers.has("X-Account")) return waiting(key);
  const text = (await answer.text()).replace("<body ", `<body data-answers="${encodeURIComponent(key)}" `);
  const found = await lookUp(key).catch(() => ({}));
  if (found.again) return waiting(key);
  await end(key, found.kind ? found : { kind: "refused" });
  return new Response(text, { status: answer.status, headers: answer.headers });
}

// To sign in: nothing was sent, and the seats are still held.
const settled = async (key, answer) => (await store.remove("purchases", key), answer);

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
