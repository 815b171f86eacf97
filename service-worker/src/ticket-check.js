// A ticket's code as docs/ticket-code.md has it: Base45 (RFC 9285) of version, key, ticket, event, issue and an Ed25519 signature.
import { verifyAsync } from "@noble/ed25519";

const LETTERS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:";
const SIGNED = 30;
const WHOLE = 94;

// Three letters are two bytes, two letters one, the least significant first.
export function bytes(code) {
  const out = [];
  for (let at = 0; at < code.length; at += 3) {
    const part = [...code.slice(at, at + 3)].map((letter) => LETTERS.indexOf(letter));
    const value = part.reduce((sum, digit, place) => sum + digit * 45 ** place, 0);
    if (part.length === 1 || part.includes(-1) || value > (part.length === 3 ? 0xffff : 0xff)) throw new Error("not Base45");
    if (part.length === 3) out.push(value >> 8);
    out.push(value & 0xff);
  }
  return Uint8Array.from(out);
}

const hex = (some) => [...some].map((byte) => byte.toString(16).padStart(2, "0")).join("");
const decode = (text) => Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (letter) => letter.charCodeAt(0));

// Throws unless the code is this ticket's, of this event, and signed by one of the published keys.
export async function verify({ ticket_uuid, code }, { event_id }, keys) {
  const read = bytes(code ?? "");
  if (read.length !== WHOLE || read[0] !== 1) throw new Error("not a ticket's code");
  const key = keys.find(({ id }) => id === read[1]);
  if (!key) throw new Error("an unknown key");
  if (hex(read.slice(2, 18)) !== ticket_uuid.replaceAll("-", "")) throw new Error("another ticket");
  if (new DataView(read.buffer).getBigUint64(18) !== BigInt(event_id)) throw new Error("another event");
  if (!(await verifyAsync(read.slice(SIGNED), read.slice(0, SIGNED), decode(key.public_key)))) throw new Error("a false signature");
}
