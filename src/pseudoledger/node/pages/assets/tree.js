// The Merkle tree of RFC 9162, read from tiles (C2SP tlog-tiles): an inclusion path and the root that it
// leads to. Sizes are JavaScript numbers, exact to 2^53.

import { FormError, fetchBytes, sha256 } from "./bytes.js";

const WIDTH = 256;
const HASH = 32;

export const leafHash = (entry) => sha256(Uint8Array.of(0), entry);
export const nodeHash = (left, right) => sha256(Uint8Array.of(1), left, right);

export function tilePath(level, index, width) {
  const digits = String(index);
  const groups = digits.padStart(Math.ceil(digits.length / 3) * 3, "0").match(/.../g);
  const path = groups.map((group, at) => (at < groups.length - 1 ? `x${group}` : group)).join("/");
  return `/tile/${level}/${path}${width < WIDTH ? `.p/${width}` : ""}`;
}

/** Hashes of a tree of `size` leaves; each tile is fetched once. `load(path, bytes)` returns a tile's bytes. */
export class Tiles {
  constructor(size, load = fetchBytes) {
    this.size = size;
    this.load = load;
    this.tiles = new Map();
  }

  tile(level, index) {
    const name = `${level}/${index}`;
    if (!this.tiles.has(name)) {
      const width = Math.min(WIDTH, Math.floor(this.size / WIDTH ** level) - index * WIDTH);
      const path = tilePath(level, index, width);
      this.tiles.set(name, this.load(path, width * HASH).then((bytes) => {
        if (bytes.length !== width * HASH) throw new FormError(path);
        return bytes;
      }));
    }
    return this.tiles.get(name);
  }

  /** The node over the 2^level leaves from index * 2^level on, folded from one tile. */
  async node(level, index) {
    const tileLevel = Math.floor(level / 8);
    const count = 2 ** (level - 8 * tileLevel);
    const first = index * count;
    const tile = await this.tile(tileLevel, Math.floor(first / WIDTH));
    const start = first % WIDTH;
    let hashes = Array.from({ length: count }, (_, at) =>
      tile.slice((start + at) * HASH, (start + at + 1) * HASH));
    while (hashes.length > 1) {
      hashes = await Promise.all(Array.from({ length: hashes.length / 2 }, (_, at) =>
        nodeHash(hashes[2 * at], hashes[2 * at + 1])));
    }
    return hashes[0];
  }

  leaf(index) {
    return this.node(0, index);
  }

  /** The root over the leaves [start, end), start a multiple of the power of two at or above its length. */
  async range(start, end) {
    const size = end - start;
    const level = Math.floor(Math.log2(size));
    const part = 2 ** level;
    if (part === size) return this.node(level, start / part);
    return nodeHash(await this.node(level, start / part), await this.range(start + part, end));
  }

  /** The inclusion path of a leaf, lowest first (RFC 9162 §2.1.3.1). */
  async path(index) {
    const path = [];
    let [start, end] = [0, this.size];
    while (end - start > 1) {
      const size = end - start;
      let part = 2 ** Math.floor(Math.log2(size));
      if (part === size) part /= 2;
      const middle = start + part;
      if (index < middle) {
        path.unshift(await this.range(middle, end));
        end = middle;
      } else {
        path.unshift(await this.range(start, middle));
        start = middle;
      }
    }
    return path;
  }
}

/** The root that a leaf and its path lead to (RFC 9162 §2.1.3.2); null where the path has a wrong length. */
export async function rootFromPath(leaf, index, size, path) {
  let [fn, sn, hash] = [index, size - 1, leaf];
  for (const sibling of path) {
    if (sn === 0) return null;
    if (fn % 2 === 1 || fn === sn) {
      hash = await nodeHash(sibling, hash);
      while (fn % 2 === 0 && fn !== 0) [fn, sn] = [Math.floor(fn / 2), Math.floor(sn / 2)];
    } else {
      hash = await nodeHash(hash, sibling);
    }
    [fn, sn] = [Math.floor(fn / 2), Math.floor(sn / 2)];
  }
  return sn === 0 ? hash : null;
}
