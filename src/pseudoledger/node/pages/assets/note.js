// A checkpoint: C2SP signed-note with tlog-checkpoint text, and the keys of the ledger.

import { FormError, ascii, didOfKey, equal, fetchBytes, fromBase64, readCbor, sha256, verifyEd25519 } from "./bytes.js";

const NOTE_MAX = 1_000_000;
const KEYS_MAX = 65_536;
const ED25519 = 1; // signature type of a log key

export async function fetchCheckpoint() {
  const raw = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(await fetchBytes("/checkpoint", NOTE_MAX));
  const split = raw.lastIndexOf("\n\n");
  const text = raw.slice(0, split + 1);
  const lines = text.split("\n");
  if (split < 0 || !raw.endsWith("\n") || !/^(0|[1-9][0-9]{0,14})$/.test(lines[1] ?? "")) throw new FormError("/checkpoint");
  const root = fromBase64(lines[2] ?? "");
  if (root.length !== 32) throw new FormError("/checkpoint");
  const signatures = raw.slice(split + 2).split("\n").slice(0, -1).map((line) => {
    const parts = /^\u2014 (\S+) (\S+)$/.exec(line);
    if (!parts) throw new FormError("/checkpoint");
    return { name: parts[1], bytes: fromBase64(parts[2]) };
  });
  return { text, origin: lines[0], size: Number(lines[1]), root, signatures };
}

/** Whether a key signed a checkpoint as its log: true or false, null where this browser cannot tell,
 *  undefined where no signature is by this key. A line names it by origin and key id. */
export async function signedBy(checkpoint, key) {
  const id = (await sha256(ascii(`${checkpoint.origin}\n`), Uint8Array.of(ED25519), key)).slice(0, 4);
  const line = checkpoint.signatures.find((item) =>
    item.name === checkpoint.origin && item.bytes.length === 68 && equal(item.bytes.slice(0, 4), id));
  return line && verifyEd25519(key, line.bytes.slice(4), ascii(checkpoint.text));
}

/** The ledger's keys as this node names them: a COSE Key Set (RFC 9052 §7), as dids. */
export async function fetchKeys() {
  const keys = readCbor(await fetchBytes("/.well-known/scitt-keys", KEYS_MAX));
  if (!Array.isArray(keys)) throw new FormError("/.well-known/scitt-keys");
  return keys
    .filter((key) => key instanceof Map && key.get(1) === 1 && key.get(-1) === 6 && key.get(-2)?.length === 32)
    .map((key) => didOfKey(key.get(-2)));
}
