// Whose phone it is just now. Pages say it in the header X-Account: a mark of the account, or "-" for nobody.
import { fact, forget, setFact } from "./store.js";

// How each cache is emptied, its books included; caches.js says it.
const emptied = new Map();
export const onWipe = (name, how) => emptied.set(name, how);

let known;
let spoken;

export const account = async () => (known ??= (await fact("account")) ?? "-");
export const language = async () => (spoken ??= (await fact("language")) ?? (self.navigator.language.startsWith("en") ? "en" : "es"));

// Answers that were asked for before a wipe and come after it are nobody's to keep.
let era = 0;
export const eraNow = () => era;

// Somebody has just been to sign in: who it is, the next answer says. Until then nothing that is kept is shown.
export const doubt = () => setFact("doubt", true);
export const unsure = () => fact("doubt");

// Somebody is about to leave: should that answer get lost, the next one that knows nobody ends it.
export const leaving = () => Promise.all([setFact("leaving", true), doubt()]);

// Everything of whoever was here: caches, waiting purchases, news.
export async function wipe() {
  era += 1;
  known = "-";
  await Promise.all([setFact("account", "-"), setFact("leaving", false), setFact("synced_at", 0)]);
  await forget();
  await Promise.all([...emptied.values()].map((how) => how()));
}

// An answer that is not of the account whose things lie here: they go before it is used. Nobody signed in wipes nothing:
// a session that has ended leaves the tickets where they are.
export async function isOf(mark) {
  if (!mark) return;
  if (await unsure()) await setFact("doubt", false);
  if (mark === "-") {
    if (await fact("leaving")) await wipe();
    return;
  }
  await setFact("leaving", false);
  const before = await account();
  if (mark === before) return;
  if (before !== "-") await wipe();
  known = mark;
  await setFact("account", mark);
}

export async function saw(answer) {
  await isOf(answer.headers.get("X-Account"));
  const spoke = answer.headers.get("Content-Language");
  if (spoke && spoke !== (await language())) {
    spoken = spoke;
    await setFact("language", spoke);
  }
}
