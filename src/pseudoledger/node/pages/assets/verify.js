// Checks a statement's place in the ledger in this browser: from the address, the statement's bytes, the
// published checkpoint and the tiles alone. Of the page it takes the entry's index, which the tiles then
// confirm or refute, and nothing else.

import { FetchError, FormError, equal, fetchStatement, hex, keyOfDid, verifyEd25519 } from "./bytes.js";
import { fetchCheckpoint, fetchKeys, signedBy } from "./note.js";
import { Tiles, leafHash, rootFromPath } from "./tree.js";

const GOOD = "checked";
const OPEN = "unchecked";
const BAD = "wrong";

const judged = (result) => (result === null ? OPEN : result ? GOOD : BAD);

/** Yield what was checked, in order: {key, verdict, detail}. Stops at the first thing that is wrong. */
export async function* check(id, index, knownKey) {
  const statement = await fetchStatement(id);
  yield { key: "id", verdict: statement ? GOOD : BAD };
  if (!statement) return;
  const issued = await verifyEd25519(keyOfDid(statement.iss), statement.signature, statement.signed);
  yield { key: "issuer", verdict: judged(issued), detail: issued === null ? "no_ed25519" : "" };
  if (issued === false) return;

  const checkpoint = await fetchCheckpoint();
  if (index >= checkpoint.size) {
    yield { key: "root", verdict: OPEN, detail: "not_covered" };
    return;
  }
  const tiles = new Tiles(checkpoint.size);
  const leaf = await leafHash(statement.raw);
  const same = equal(await tiles.leaf(index), leaf);
  yield { key: "leaf", verdict: same ? GOOD : BAD };
  if (!same) return;
  const root = await rootFromPath(leaf, index, checkpoint.size, await tiles.path(index));
  const reached = root !== null && equal(root, checkpoint.root);
  yield {
    key: "root", verdict: reached ? GOOD : BAD,
    figures: { computed: root ? hex(root) : "", claimed: hex(checkpoint.root), size: checkpoint.size },
  };
  if (!reached) return;
  yield* checkSignature(checkpoint, knownKey);
  yield { key: "witnesses", verdict: OPEN };
}

async function* checkSignature(checkpoint, knownKey) {
  let keys;
  try {
    keys = knownKey ? [knownKey] : await fetchKeys();
  } catch (error) {
    if (!(error instanceof FetchError)) throw error;
    keys = [];
  }
  if (!keys.length) {
    yield { key: "signature", verdict: OPEN, detail: "no_keys" };
    return;
  }
  for (const did of keys) {
    const signed = await signedBy(checkpoint, keyOfDid(did));
    if (signed === undefined) continue;
    yield { key: "signature", verdict: judged(signed), detail: signed === null ? "no_ed25519" : "" };
    if (signed) yield knownKey ? { key: "key.known", verdict: GOOD } : { key: "key.taken", verdict: OPEN, did };
    return;
  }
  yield { key: "signature", verdict: BAD, detail: "no_signature" };
}

/** Say in a few words why a check could not be done. */
export function reason(error, words) {
  if (error instanceof FetchError) return `${words.fetch} ${error.message}`;
  if (error instanceof FormError || error instanceof SyntaxError || error instanceof TypeError || error instanceof RangeError) {
    return `${words.form} ${error.message}`;
  }
  throw error;
}
