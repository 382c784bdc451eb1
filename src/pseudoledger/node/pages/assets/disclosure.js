// Opens sealed fields from a disclosure file, here alone: nothing leaves the browser. A disclosure is
// base64url(JSON [salt, name, value]); its digest stands in an object's `_sd`; the second half of its salt
// binds it to ledger, issuer, kind and place (RFC 9901 and the project's formats).

import { FormError, ascii, equal, fetchStatement, fromBase64Url, join, sha256, toBase64Url } from "./bytes.js";

const LABEL = "pseudoledger/seal/v1";
const FILE_MAX = 1_000_000;
const TEXT_MAX = 4096;

/** Read a disclosure file; throws FormError where it is none. */
export async function readFile(file) {
  if (file.size > FILE_MAX) throw new FormError(file.name);
  let content;
  try {
    content = JSON.parse(await file.text());
  } catch {
    throw new FormError(file.name);
  }
  const texts = content?.disclosures;
  if (typeof content?.statement !== "string" || !Array.isArray(texts) || !texts.every((text) => typeof text === "string")) {
    throw new FormError(file.name);
  }
  return { statement: content.statement, disclosures: texts };
}

/** Open disclosures against a statement: one {digest, name, value} or {problem, text} for each. */
export async function open(id, disclosures) {
  const statement = await fetchStatement(id);
  if (!statement) return null;
  const places = [...objects(statement.payload, "")];
  return Promise.all(disclosures.map((text) => openOne(statement, places, text)));
}

async function openOne(statement, places, text) {
  let salt, name, value;
  try {
    if (text.length > TEXT_MAX) throw new FormError(text);
    const json = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(fromBase64Url(text));
    const parts = JSON.parse(json);
    if (!Array.isArray(parts) || parts.length !== 3 || typeof parts[1] !== "string") throw new FormError(text);
    [salt, name, value] = [fromBase64Url(parts[0]), parts[1], parts[2]];
    // One spelling alone: a sealable value is a text, for which JSON.stringify and RFC 8785 agree.
    if (salt.length !== 32 || typeof value !== "string" || JSON.stringify(parts) !== json) throw new FormError(text);
  } catch (error) {
    if (error instanceof FormError || error instanceof SyntaxError || error instanceof TypeError) {
      return { problem: "malformed", text };
    }
    throw error;
  }
  const digest = toBase64Url(await sha256(ascii(text)));
  const place = places.find(([, object]) => Array.isArray(object._sd) && object._sd.includes(digest));
  if (!place) return { problem: "unmatched", text: name };
  const labels = [LABEL, statement.aud, statement.iss, statement.payload.type, `${place[0]}/${name}`];
  const bound = await sha256(join(...labels.flatMap((label, at) => (at ? [Uint8Array.of(0), ascii(label)] : [ascii(label)]))));
  if (!equal(bound.slice(0, 16), salt.slice(16)) || name in place[1]) return { problem: "bound", text: name };
  return { digest, name, value };
}

function* objects(node, pointer) {
  if (node === null || typeof node !== "object") return;
  if (!Array.isArray(node)) yield [pointer, node];
  for (const [name, member] of Object.entries(node)) yield* objects(member, `${pointer}/${name}`);
}
