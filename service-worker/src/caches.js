// The caches by kind, each with its bounds in entries, age and bytes, and the plugins that keep them.
import { ExpirationPlugin } from "workbox-expiration";
import { NetworkFirst, StaleWhileRevalidate } from "workbox-strategies";

import { account, eraNow, language, onWipe, saw, unsure } from "./whose.js";

const DAY_S = 86400;
const MIB = 1024 * 1024;
const MAP_S_MAX = 2;
const TICKET_S_MAX = 3;

// Of events anybody may know what the pages say, but each says who is signed in: all of them are wiped with the account.
const KINDS = {
  lists: { entries: 60, age: 14 * DAY_S, bytes: 8 * MIB },
  maps: { entries: 60, age: 14 * DAY_S, bytes: 24 * MIB },
  tickets: { entries: 400, age: 400 * DAY_S, bytes: 48 * MIB },
  keys: { entries: 2, age: 400 * DAY_S, bytes: MIB },
};

// When the device kept an answer, by its own clock: the only one that its age can be told by without a network.
export const SAVED_AT = "X-Saved-At";

function stamped(answer, at) {
  const headers = new Headers(answer.headers);
  if (at) headers.set(SAVED_AT, at);
  else headers.delete(SAVED_AT);
  return new Response(answer.body, { status: answer.status, statusText: answer.statusText, headers });
}
const now = () => new Date().toISOString();

// Removes the oldest answers until the cache is no larger than its kind may be; Workbox bounds entries and age alone.
async function evict(name) {
  const cache = await caches.open(name);
  const sizes = [];
  for (const key of await cache.keys()) {
    const answer = await cache.match(key);
    if (answer) sizes.push([key, answer.headers.get(SAVED_AT) ?? "", (await answer.arrayBuffer()).byteLength]);
  }
  let sum = sizes.reduce((total, [, , size]) => total + size, 0);
  for (const [key, , size] of sizes.sort((one, other) => (one[1] < other[1] ? -1 : 1))) {
    if (sum <= KINDS[name].bytes) break;
    await cache.delete(key);
    sum -= size;
  }
}

// What a full device does without first; tickets never go for the sake of a map.
const SPARE = ["lists", "maps"];

const EVICT_EVERY = 10;
let puts = 0;

// A page and its fragment share an address, two languages and two accounts do, too: each has a key of its own.
async function keyOf(request) {
  const url = new URL(request.url);
  // What is nobody's own is kept once.
  if (url.pathname.startsWith("/.well-known/")) return url.href;
  if (url.pathname === "/") url.pathname = "/events";
  url.searchParams.delete("shown");
  url.searchParams.set("__hx", request.headers.get("HX-Request") === "true" ? "1" : "0");
  const whose = (await unsure()) ? "?" : await account();
  // The buyer's own is kept once, in the language in which it came: a ticket is worth more than its words.
  const own = /^\/(orders|tickets)(\/|$)/.test(url.pathname);
  url.searchParams.set("__of", own ? whose : `${whose}.${await language()}`);
  return url.href;
}

// What is kept for this request, and nothing where nothing is.
export const kept = async (name, request) => (await caches.open(name)).match(await keyOf(request));
const requestFor = (address) => new Request(new URL(address, self.location.origin));
export const keptAt = (name, address) => kept(name, requestFor(address));
export const dropAt = async (name, address) => (await caches.open(name)).delete(await keyOf(requestFor(address)));

// The server sends nothing again that has not changed: it is asked with the ETag of what is kept.
async function asking(name, request) {
  const etag = (await kept(name, request))?.headers.get("ETag");
  if (!etag || request.headers.has("If-None-Match")) return request;
  const headers = new Headers(request.headers);
  headers.set("If-None-Match", etag);
  return new Request(request.url, { headers, credentials: "same-origin", redirect: "manual", signal: request.signal });
}

async function unchanged(name, request, answer) {
  const before = await kept(name, request);
  return before ? stamped(before) : answer;
}

// What only front says (502, 504) and what is over in a moment (503): as good as no answer, where something is kept.
export const away = (answer) => [502, 503, 504].includes(answer.status);

// The page that was shown something older may want to know.
async function changed(event) {
  const client = await self.clients.get(event?.resultingClientId || event?.clientId || "");
  client?.postMessage({ type: "changed" });
}

function pluginsOf(name) {
  const { entries, age } = KINDS[name];
  const bounds = new ExpirationPlugin({ maxEntries: entries, maxAgeSeconds: age, purgeOnQuotaError: SPARE.includes(name) });
  if (name !== "keys") {
    onWipe(name, async () => {
      await caches.delete(name);
      await bounds.deleteCacheAndMetadata();
    });
  }
  return [
    {
      cacheKeyWillBeUsed: ({ request }) => keyOf(request),
      requestWillFetch: ({ request, state }) => {
        state.era = eraNow();
        return asking(name, request);
      },
      fetchDidSucceed: async ({ request, response, state }) => {
        const late = state.era !== eraNow();
        await saw(response, state.era);
        // Another account's first answer wipes what was here, and is the first to be kept anew.
        Object.assign(state, { answer: response, era: late ? null : eraNow() });
        if (away(response)) throw new Error(`answered ${response.status}`);
        return response.status === 304 ? unchanged(name, request, response) : response;
      },
      cacheWillUpdate: async ({ response, state }) => (response.status === 200 && state.era === eraNow() ? stamped(response, now()) : null),
      cacheDidUpdate: async ({ oldResponse, newResponse, event }) => {
        const other = oldResponse && oldResponse.headers.get("ETag") !== newResponse.headers.get("ETag");
        if (other) await changed(event);
        puts += 1;
        if (puts % EVICT_EVERY === 0) await evict(name);
      },
      // Nothing is kept: better what the server said than that there is no network.
      handlerDidError: async ({ state }) => state.answer,
    },
    bounds,
  ];
}

// Who answers, by kind. Lists: at once as last seen, fetched anew behind that; `newest` where a page waits for it.
const forLists = { cacheName: "lists", plugins: pluginsOf("lists") };
export const lists = new StaleWhileRevalidate(forLists);
export const newest = new NetworkFirst({ ...forLists, networkTimeoutSeconds: MAP_S_MAX });
export const maps = networkFirst("maps", MAP_S_MAX);
export const tickets = networkFirst("tickets", TICKET_S_MAX);
export const keys = networkFirst("keys", TICKET_S_MAX);

function networkFirst(name, networkTimeoutSeconds) {
  return new NetworkFirst({ cacheName: name, networkTimeoutSeconds, plugins: pluginsOf(name) });
}
