// What the app does between a page and the network. Each rule: what it matches, what answers, within which bounds.
import { clientsClaim } from "workbox-core";
import { cleanupOutdatedCaches, matchPrecache, precacheAndRoute } from "workbox-precaching";
import { registerRoute, setCatchHandler } from "workbox-routing";
import { NetworkOnly } from "workbox-strategies";

import { away, kept, keptAt, keys, lists, maps, newest, SAVED_AT, tickets } from "./caches.js";
import { bought, chosen } from "./forms.js";
import { hurry, say, sendAll, TAG, wait, withdraw } from "./purchases.js";
import * as store from "./store.js";
import { keepBought, keepOrder, syncTickets } from "./tickets.js";
import { account, doubt, eraNow, isOf, language, leaving, saw, unsure, wipe } from "./whose.js";

self.RELEASE = RELEASE;

clientsClaim();
cleanupOutdatedCaches();
precacheAndRoute(self.__WB_MANIFEST, { directoryIndex: null, cleanURLs: false });

const page = ({ request }) => request.mode === "navigate" || request.headers.get("HX-Request") === "true";
const path = (pattern, also = () => true) => (given) => given.sameOrigin && pattern.test(given.url.pathname) && also(given);

// ---- Files of another release, which a kept page may name: ours of the same name, where they are not to be had.

registerRoute(path(/^\/static\/[0-9a-f]{12}\//), async ({ request, url }) => {
  try {
    const answer = await fetch(request);
    if (!away(answer)) return answer;
  } catch {
    // No network: ours, then.
  }
  const name = url.pathname.split("/").slice(3).join("/");
  return (await matchPrecache(`/static/${RELEASE}/${name}`)) ?? Response.error();
});

// ---- Lists: at once as they were last seen, and fetched anew behind that. A page that asks for the newest waits for it.

registerRoute(path(/^\/(events)?$/, page), async (given) => {
  const fresh = given.request.headers.get("Cache-Control") === "no-cache" || given.request.cache === "reload";
  try {
    return await aged(await (fresh ? newest : lists).handle(given), given);
  } catch (error) {
    // This search is not kept; the page itself finds among the events that are (page/finding.js).
    const whole = given.request.mode === "navigate" && (await keptAt("lists", "/events"));
    if (!whole) throw error;
    return aged(whole, given);
  }
});

// ---- Seat maps, and an event's page, which is one: what the network says within two seconds, else as last seen.

registerRoute(path(/^\/events\/\d+$/, page), async (given) => aged(await maps.handle(given), given));

// ---- The buyer's own: orders and tickets with their pictures. A session that has ended takes none of them away.

registerRoute(path(/^\/(orders(\/[0-9a-f-]{36})?|tickets\/[0-9a-f-]{36}(\.png)?)$/), async (given) => {
  const answer = await tickets.handle(given);
  const elsewhere = answer.type === "opaqueredirect" || answer.redirected || answer.status === 401;
  const here = elsewhere && given.url.pathname.startsWith("/tickets/") && (await kept("tickets", given.request));
  return aged(here || answer, given);
});
registerRoute(path(/^\/\.well-known\/ticket-keys\.json$/), keys);

// ---- What became of a purchase that this device made: told from here, with or without a network.

registerRoute(path(/^\/purchases\/[^/]+$/, ({ request }) => request.mode === "navigate"), async (given) => {
  const key = decodeURIComponent(given.url.pathname.split("/")[2]);
  // Who has just signed in, the network's answer says; what was another account's is gone by then.
  const answer = (await unsure()) ? await network.handle(given).catch(() => null) : null;
  if (!(await unsure()) && (await store.get("purchases", key))) return shell();
  return answer ?? network.handle(given);
});

// ---- From the identity provider: somebody else, perhaps. Nothing that is kept is shown before an answer says who.

registerRoute(path(/^\/login\/callback$/), async (given) => {
  const answer = await network.handle(given);
  await doubt();
  return answer;
});

// ---- Every other page: the network, else the page that says there is none.

const network = new NetworkOnly({
  plugins: [
    {
      requestWillFetch: async ({ request, state }) => ((state.era = eraNow()), request),
      fetchDidSucceed: async ({ response, state }) => (await saw(response, state.era), response),
    },
  ],
});
registerRoute(
  ({ request, sameOrigin, url }) => sameOrigin && request.mode === "navigate" && !/^\/(api|ws|provider)(\/|$)/.test(url.pathname),
  network,
);

// ---- Forms: a purchase and a choice of seats that cannot be sent wait; signing out takes everything along.

registerRoute(path(/^\/orders$/, ({ request }) => request.mode === "navigate"), bought, "POST");
registerRoute(path(/^\/events\/\d+\/holds$/, ({ request }) => request.mode === "navigate"), chosen, "POST");
registerRoute(
  path(/^\/((api\/auth\/)?logout|account\/(sessions\/end|erase))$/),
  async ({ request, url }) => {
    const leaves = url.pathname.endsWith("logout");
    if (leaves) await leaving();
    const answer = await fetch(request);
    // Refused (too many requests, another site): nobody has left.
    if (answer.type === "opaqueredirect" || (leaves && answer.ok)) await wipe();
    return answer;
  },
  "POST",
);
registerRoute(path(/^\//, ({ request }) => request.mode === "navigate"), new NetworkOnly(), "POST");

const shell = async () => (await matchPrecache(`/offline/${await language()}`)) ?? Response.error();
setCatchHandler(async ({ request }) => (request.mode === "navigate" ? shell() : Response.error()));

// A kept page says so itself, and since when: by an attribute of its body, a fragment by a header.
async function aged(answer, { request }) {
  const saved = answer?.headers.get(SAVED_AT);
  const page = answer?.headers.get("Content-Type")?.startsWith("text/html");
  if (!saved || !page || request.mode !== "navigate") return answer;
  const text = (await answer.text()).replace("<body ", `<body data-saved="${saved}" `);
  return new Response(text, { status: answer.status, headers: answer.headers });
}

// ---- Events.

self.addEventListener("activate", (event) => {
  // Pages of another release may name what is gone; the tickets are laid in anew as soon as there is a network.
  event.waitUntil(Promise.all(["lists", "maps"].map((name) => caches.delete(name))));
});

self.addEventListener("sync", (event) => {
  if (event.tag !== TAG) return;
  const sent = hurry().then(sendAll).then((left) => {
    // The browser asks again later, as long as something waits.
    if (left) throw new Error(`${left} wait`);
  });
  event.waitUntil(sent.finally(keepBought));
});

const DEEDS = {
  // The first page of all came before the worker was there; every later one has said itself whose it is.
  account: async ({ mark }) => ((await account()) === "-" ? isOf(mark) : undefined),
  // The network has proved itself; `back` after it had been away.
  online: async ({ back }) => {
    await hurry();
    if (await sendAll()) await wait();
    await syncTickets({ now: back });
    await say({ type: "news" });
  },
  send: sendAll,
  withdraw: async ({ key }) => {
    await withdraw(key);
    await sendAll();
  },
  keep: ({ order_uuid }) => keepOrder(order_uuid),
  claim: () => self.clients.claim(),
  "skip-waiting": () => self.skipWaiting(),
};
self.addEventListener("message", (event) => {
  const deed = DEEDS[event.data?.type];
  if (!deed) return;
  const port = event.ports[0];
  const done = Promise.resolve(deed(event.data));
  // What was bought meanwhile is drawn in a moment: no page waits for it.
  if (event.data.type === "online" || event.data.type === "send") event.waitUntil(done.then(keepBought).then(() => say({ type: "news" })));
  event.waitUntil(
    done.then(
      (done) => port?.postMessage({ done }),
      (error) => port?.postMessage({ error: error.message }),
    ),
  );
});

self.addEventListener("notificationclick", (event) => {
  event.notification.close();
  event.waitUntil(self.clients.openWindow(event.notification.data.address));
});
