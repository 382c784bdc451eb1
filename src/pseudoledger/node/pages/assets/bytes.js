// Bytes, hashes and the few encodings that a statement, a checkpoint and a key are written in.
// Nothing here trusts its input: what is not of its form throws a FormError that says what it was.

export class FormError extends Error {}

export const hex = (bytes) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
export const ascii = (text) => new TextEncoder().encode(text);
export const equal = (a, b) => a.length === b.length && a.every((byte, at) => byte === b[at]);

export function join(...parts) {
  const whole = new Uint8Array(parts.reduce((size, part) => size + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

export async function sha256(...parts) {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", join(...parts)));
}

export function fromBase64(text) {
  try {
    const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
    if (toBase64(bytes) === text) return bytes;
  } catch {
    // falls through to the refusal below
  }
  throw new FormError("base64");
}

export const toBase64 = (bytes) => btoa(String.fromCharCode(...bytes));

export const toBase64Url = (bytes) =>
  toBase64(bytes).replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");

export function fromBase64Url(text) {
  if (!/^[A-Za-z0-9_-]*$/.test(text)) throw new FormError("base64url");
  const plain = text.replaceAll("-", "+").replaceAll("_", "/");
  const bytes = fromBase64(plain + "=".repeat((4 - (plain.length % 4)) % 4));
  return bytes;
}

// did:key over Ed25519: base58btc of 0xed 0x01 and the 32 key bytes, behind a z (multibase).
const BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";

export function keyOfDid(did) {
  const text = /^did:key:z([1-9A-HJ-NP-Za-km-z]{46,48})$/.exec(did)?.[1];
  if (!text) throw new FormError("did:key");
  let number = 0n;
  for (const letter of text) number = number * 58n + BigInt(BASE58.indexOf(letter));
  const digits = number.toString(16).padStart(68, "0");
  if (digits.length !== 68 || !digits.startsWith("ed01")) throw new FormError("did:key");
  return Uint8Array.from(digits.slice(4).match(/../g), (pair) => parseInt(pair, 16));
}

export function didOfKey(key) {
  let number = BigInt("0xed01" + hex(key));
  let text = "";
  while (number > 0n) {
    text = BASE58[Number(number % 58n)] + text;
    number /= 58n;
  }
  return `did:key:z${text}`;
}

// As much CBOR (RFC 8949) as COSE needs: integers, byte and text strings, arrays, maps, tags, null.
const DEPTH_MAX = 8;

export function readCbor(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let at = 0;
  const need = (count) => {
    if (at + count > bytes.length) throw new FormError("CBOR");
    at += count;
    return at - count;
  };
  const argument = (low) => {
    if (low < 24) return low;
    if (low === 24) return view.getUint8(need(1));
    if (low === 25) return view.getUint16(need(2));
    if (low === 26) return view.getUint32(need(4));
    if (low === 27) return Number(view.getBigUint64(need(8)));
    throw new FormError("CBOR");
  };
  const item = (depth) => {
    if (depth > DEPTH_MAX) throw new FormError("CBOR");
    const head = view.getUint8(need(1));
    const [major, low] = [head >> 5, head & 31];
    if (head === 0xf6) return null;
    const value = argument(low);
    if (major === 0) return value;
    if (major === 1) return -1 - value;
    if (major === 2 || major === 3) {
      const start = need(value);
      const part = bytes.slice(start, start + value);
      return major === 2 ? part : new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(part);
    }
    if (major === 4) return Array.from({ length: Math.min(value, bytes.length) }, () => item(depth + 1));
    if (major === 5) {
      const map = new Map();
      for (let count = 0; count < value; count++) {
        const label = item(depth + 1);
        if (map.has(label)) throw new FormError("CBOR");
        map.set(label, item(depth + 1));
      }
      return map;
    }
    if (major === 6) return item(depth + 1);
    throw new FormError("CBOR");
  };
  const whole = item(0);
  if (at !== bytes.length) throw new FormError("CBOR");
  return whole;
}

function string(bytes) {
  const size = bytes.length;
  if (size < 24) return join(Uint8Array.of(0x40 | size), bytes);
  if (size < 256) return join(Uint8Array.of(0x58, size), bytes);
  return join(Uint8Array.of(0x59, size >> 8, size & 255), bytes);
}

/** A Signed Statement: COSE_Sign1 (RFC 9052) in its one encoding, with its id, SHA-256 of the Sig_structure. */
export async function readStatement(raw) {
  const parts = readCbor(raw);
  if (!Array.isArray(parts) || parts.length !== 4 || ![parts[0], parts[2], parts[3]].every((part) => part instanceof Uint8Array)) {
    throw new FormError("COSE_Sign1");
  }
  const [bare, , payload, signature] = parts;
  // Tag 18 over four fields, the second an empty map: the leaf covers all of it, the id and the signature do not.
  const whole = join(Uint8Array.of(0xd2, 0x84), string(bare), Uint8Array.of(0xa0), string(payload), string(signature));
  if (!equal(whole, raw)) throw new FormError("COSE_Sign1");
  const signed = join(Uint8Array.of(0x84, 0x6a), ascii("Signature1"), string(bare), Uint8Array.of(0x40), string(payload));
  const claims = readCbor(bare).get(15);
  return {
    raw, signed, signature,
    id: hex(await sha256(signed)),
    iss: claims.get(1),
    aud: claims.get(3) ?? "",
    payload: JSON.parse(new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(payload)),
  };
}

/** Whether an Ed25519 signature holds; null where this browser cannot tell. */
export async function verifyEd25519(key, signature, message) {
  let imported;
  try {
    imported = await crypto.subtle.importKey("raw", key, { name: "Ed25519" }, false, ["verify"]);
  } catch (error) {
    if (error.name === "NotSupportedError") return null;
    return false;
  }
  return crypto.subtle.verify({ name: "Ed25519" }, imported, signature, message);
}

export class FetchError extends Error {}

/** Fetch bytes from this node, at most `most` of them. */
export async function fetchBytes(path, most) {
  let answer;
  try {
    answer = await fetch(path, { credentials: "omit", cache: "no-cache" });
  } catch {
    throw new FetchError(path);
  }
  if (!answer.ok) throw new FetchError(`${path} (${answer.status})`);
  const bytes = new Uint8Array(await answer.arrayBuffer());
  if (bytes.length > most) throw new FormError(path);
  return bytes;
}

export const STATEMENT_MAX = 65535;

/** The statement of an address, as its bytes prove it; null where they are another's. */
export async function fetchStatement(id) {
  const statement = await readStatement(await fetchBytes(`/api/v1/statements/${id}/raw`, STATEMENT_MAX));
  return statement.id === id ? statement : null;
}
