// Whose phone it is just now. Pages say it in the header X-Account: a mark of the account, or "-" for nobody.
import { fact, forget, setFact } from "./store.js";

// How each cache is emptied, its books included; caches.js says it.
const emptied = new Map();
export const onWipe = (name, how) => emptied.set(name, how);

// What this worker alone writes is read from the device once, not at each request.
const known = new Map();
async function read(name, usual) {
  if (!known.has(name)) known.set(name, (await fact(name)) ?? usual);
  return known.get(name);
}
function write(name, value) {
  known.set(name, value);
  return setFact(name, value);
}

export const account = () => read("account", "-");
export const language = () => read("language", self.navigator.language.startsWith("en") ? "en" : "es");

// Answers that were asked for before somebody came or went say nothing of who is here, and are nobody's to keep.
let era = 0;
export const eraNow = () => era;

// Somebody has just been to sign in: who it is, the next answer says. Until then nothing that is kept is shown.
export function doubt() {
  era += 1;
  return write("doubt", true);
}
export const unsure = () => read("doubt", false);

// Somebody is about to leave: should that answer get lost, the next one that knows nobody ends it.
export const leaving = () => Promise.all([write("leaving", true), doubt()]);

// Everything of whoever was here: caches, waiting purchases, news.
export async function wipe() {
  era += 1;
  await Promise.all([write("account", "-"), write("leaving", false), setFact("synced_at", 0)]);
  await forget();
  await Promise.all([...emptied.values()].map((how) => how()));
}

// An answer that is not of the account whose things lie here: they go before it is used. Nobody signed in wipes nothing:
// a session that has ended leaves the tickets where they are.
export async function isOf(mark) {
  if (!mark) return;
  if (await unsure()) await write("doubt", false);
  const left = await read("leaving", false);
  if (mark === "-") return left ? wipe() : undefined;
  if (left) await write("leaving", false);
  const before = await account();
  if (mark === before) return;
  if (before !== "-") await wipe();
  await write("account", mark);
}

// Takes in whose an answer is; `asked` is the era in which it was asked for.
export async function saw(answer, asked) {
  if (asked !== era) return;
  await isOf(answer.headers.get("X-Account"));
  const spoke = answer.headers.get("Content-Language");
  if (spoke && spoke !== (await language())) {
    await write("language", spoke);
  }
}
