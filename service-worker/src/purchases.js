// Purchases that wait for the network: sent once each, under the key that they were made with, and told what became of them.
//
// States: waiting (to be sent), signin (its buyer must sign in first), withdrawn (but perhaps it had arrived: asked before
// it goes), done (with an outcome: bought, held, gone, declined, changed,
// expired, over, late, refused).
import * as store from "./store.js";
import { account, eraNow, saw } from "./whose.js";

export const TAG = "purchases";
export const ANSWER_MS = 20000;
const PAUSE_MS = 2000;
const PAUSE_MS_MAX = 60000;
const KEPT_MS = 7 * 86400000;
// So long lives what a purchase would be paid with; later nobody would expect it to be sent.
const WAITS_MS_MAX = 86400000;

const pending = ({ state }) => state !== "done";

export async function ask(address, options = {}) {
  const asked = eraNow();
  const answer = await fetch(address, { credentials: "same-origin", cache: "no-store", signal: AbortSignal.timeout(ANSWER_MS), ...options });
  await saw(answer, asked);
  return answer;
}

function json(method, purchase, body, more = {}) {
  const owner = purchase.account === "-" ? {} : { "If-Account": purchase.account };
  return { method, body: JSON.stringify(body), headers: { "Content-Type": "application/json", ...owner, ...more } };
}

// Lays a purchase by before anything is sent, so that no end of a page or of this worker loses it. False: too many wait.
export async function lay(purchase) {
  const known = await store.all("purchases");
  if (known.filter(pending).length >= store.PURCHASES_MAX) return false;
  await store.put("purchases", { state: "waiting", made_at: Date.now(), due_at: 0, asked_until: 0, tries: 0, sent: false, ...purchase });
  return true;
}

export async function wait() {
  // Safari and Firefox have none: there an open page sends, when it proves that the network is back.
  await self.registration.sync?.register(TAG).catch(() => {});
  await say({ type: "purchases" });
}

export async function say(message) {
  for (const client of await self.clients.matchAll({ type: "window" })) client.postMessage(message);
}

export const alone = (deed) => navigator.locks.request("purchases", deed);

// One sender at a time, whoever calls: a sync, a page that came back, a tap. Gives how many are still to be sent.
export async function sendAll() {
  return alone(async () => {
    let left = 0;
    for (const purchase of (await store.all("purchases")).sort((one, other) => one.made_at - other.made_at)) {
      if (purchase.state === "done") {
        if (purchase.done_at < Date.now() - KEPT_MS) await store.remove("purchases", purchase.key);
        continue;
      }
      // It may have been withdrawn, or wiped, since the list was read.
      const current = await store.get("purchases", purchase.key);
      const after = current && (await send(current));
      if (after && pending(after)) left += 1;
    }
    return left;
  });
}

async function send(purchase) {
  const { key } = purchase;
  if (purchase.due_at > Date.now()) return purchase;
  const mark = await account();
  // Never as somebody else: it goes when its buyer is here again. What nobody's session began, anybody's may go on with.
  if (purchase.account !== "-" && mark !== "-" && mark !== purchase.account) return purchase;
  try {
    const outcome = await attempt(purchase);
    if (outcome === null) {
      await store.remove("purchases", key);
      await say({ type: "purchases" });
      return null;
    }
    return await (outcome.again ? later(key, outcome) : done(key, outcome));
  } catch {
    return later(key, {});
  }
}

// What the server says of it now: an outcome, `again` with when, or null where nothing is left of it.
async function attempt(purchase) {
  const { key, sent, state, method, free, made_at } = purchase;
  const buys = Boolean(method || free);
  const late = made_at + WAITS_MS_MAX < Date.now();
  // Whether it arrived, only its key can say, once it left in another form than it would now, or is not wanted any more.
  if (sent && (!buys || late || state === "withdrawn")) {
    const found = await lookUp(key);
    if (!found.unknown) return found;
  }
  if (state === "withdrawn") return null;
  if (late) return { kind: "late" };
  return buys ? buy(purchase) : hold(purchase);
}

// What its key says of it: an outcome, `again` where that is open, `unknown` where it never arrived.
export async function lookUp(key) {
  const found = await ask(`/api/purchases/${encodeURIComponent(key)}`);
  if (!found.ok) return found.status === 404 && (await isOurs(found)) ? { unknown: true } : unsettled(found);
  const { state, order_uuid, problem } = await found.json();
  if (state === "running") return { again: true };
  return state === "bought" ? { kind: "bought", order_uuid } : refused(problem);
}

const isOurs = async (answer) => Boolean((await answer.json().catch(() => null))?.error);

async function buy(purchase) {
  const { key, event_id, seats, total, method } = purchase;
  const body = { event_id, seat_ids: seats, total, ...(method ? { payment: { method } } : {}) };
  const current = await store.change("purchases", key, (now) => (now?.state === "withdrawn" ? undefined : now && { ...now, sent: true }));
  if (!current || current.state === "withdrawn") return { again: true, now: true };
  const answer = await ask("/api/orders", json("POST", purchase, body, { "Idempotency-Key": key }));
  if (answer.status === 201) return { kind: "bought", order_uuid: (await answer.json()).order_uuid };
  const outcome = (await readable(answer)) ?? unsettled(answer);
  // It was sent with its card before, and that arrived.
  if (outcome.problem?.error === "idempotency_key_reused") {
    const found = await lookUp(key);
    return found.unknown ? outcome : found;
  }
  // What it would be paid with is spent or too old: the seats can be kept all the same.
  return outcome.problem?.error === "invalid_payment" ? hold(purchase) : outcome;
}

// Nothing to pay with lies on the device: the seats are taken, and the buyer told until when.
async function hold(purchase) {
  const { event_id, seats } = purchase;
  const address = `/api/events/${event_id}/lock-seat`;
  let answer = await ask(address, json("POST", purchase, { seat_ids: seats }));
  // Nobody's first hold: the refusal brings the cookie that the second one is held with.
  if (answer.status === 401 && purchase.account === "-") answer = await ask(address, json("POST", purchase, { seat_ids: seats }));
  if (answer.ok) return { kind: "held", until: (await answer.json()).expires_at };
  return (await readable(answer)) ?? unsettled(answer);
}

// The outcome of a refusal that stands; null for what may be otherwise in a moment.
async function readable(answer) {
  if (answer.status === 401) return { again: true, state: "signin" };
  if (answer.status === 412) return { again: true };
  if (answer.status < 400 || answer.status >= 500 || answer.status === 429 || answer.status === 408) return null;
  const problem = await answer.json().catch(() => null);
  // No problem document of ours: somebody else answers here, the page of a hotel's network perhaps.
  if (!problem?.error) return null;
  return problem.error === "in_progress" ? null : refused(problem);
}

const KINDS = {
  seat_unavailable: "gone",
  sold_out: "gone",
  payment_declined: "declined",
  insufficient_funds: "declined",
  price_changed: "changed",
  hold_expired: "expired",
  not_on_sale: "over",
  event_not_found: "over",
};
const refused = (problem) => ({ kind: KINDS[problem?.error] ?? "refused", problem });

// How long the server wants to be left alone.
export function patience(answer) {
  const seconds = Number(answer.headers.get("Retry-After"));
  return seconds > 0 ? seconds * 1000 : 0;
}

const unsettled = (answer) => ({ again: true, state: answer.status === 401 ? "signin" : undefined, wait_ms: patience(answer) });

export async function later(key, { wait_ms = 0, state, now = false }) {
  return store.change("purchases", key, (purchase) => {
    if (!purchase) return undefined;
    const tries = purchase.tries + 1;
    const pause = now ? 0 : Math.min(PAUSE_MS_MAX, Math.max(wait_ms, PAUSE_MS * 2 ** Math.min(tries - 1, 5)));
    const wanted = purchase.state === "withdrawn" ? "withdrawn" : (state ?? "waiting");
    const due_at = Date.now() + pause;
    return { ...purchase, state: wanted, tries, due_at, asked_until: wait_ms ? due_at : 0 };
  });
}

export const end = (key, outcome) =>
  store.change("purchases", key, (now) => now && { ...now, state: "done", outcome, done_at: Date.now(), told: false });

async function done(key, outcome) {
  const purchase = await end(key, outcome);
  if (!purchase) return null;
  await say({ type: "outcome", key });
  await notify(purchase);
  return purchase;
}

// Said by the system where no page of ours can say it, if the buyer allowed that.
async function notify(purchase) {
  const seen = (await self.clients.matchAll({ type: "window" })).some((client) => client.visibilityState === "visible");
  if (seen || self.Notification?.permission !== "granted") return;
  const words = (await store.fact("words"))?.[purchase.outcome.kind];
  if (words)
    await self.registration.showNotification(words, {
      body: purchase.title,
      tag: purchase.key,
      data: { address: `/purchases/${purchase.key}` },
      icon: "/static/icons/192.png",
    });
}

// Taken back before it was sent; once it left, its key must say first whether it had arrived.
export async function withdraw(key) {
  const purchase = await store.change("purchases", key, (now) =>
    now && pending(now) && now.sent ? { ...now, state: "withdrawn", due_at: 0 } : undefined,
  );
  if (purchase && pending(purchase) && !purchase.sent) await store.remove("purchases", key);
  await say({ type: "purchases" });
}

// Due at once: the network has just proved itself. A server that asked for patience gets it.
export async function hurry() {
  for (const { key } of (await store.all("purchases")).filter(pending))
    await store.change("purchases", key, (now) => (now?.tries ? { ...now, due_at: now.asked_until } : undefined));
}
