// Checks which value a key has in the state of a chain, or that it has none, from a header alone. Written from
// docs/state-proofs.md. Shares no code with the crate, and needs nothing but Web Crypto: a browser can import this file.

const HASH_BYTES = 32;
const HEADER_BYTES = 180;
const HEAD_BYTES = 3;
const BRANCH_BYTES = 1 + HASH_BYTES;
const MAX_BRANCHES = 256;
const MAX_VALUE_BYTES = 1 << 22;
const [KIND_EMPTY, KIND_ENTRY, KIND_OTHER] = [0, 1, 2];
const [TAG_EMPTY, TAG_LEAF, TAG_BRANCH] = [2, 3, 4];

// The step at which a proof fails.
export class Refused extends Error {
  constructor(step, reason) {
    super(reason);
    this.step = step;
  }
}

function demand(condition, step, reason) {
  if (!condition) {
    throw new Refused(step, reason);
  }
}

const isEqual = (left, right) => left.length === right.length && left.every((byte, index) => byte === right[index]);

async function sha256(...parts) {
  const bytes = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
}

// A bit of a path, counted from the most significant one of the first byte.
const bitOf = (path, bit) => (path[bit >> 3] >> (7 - (bit & 7))) & 1;

// The state root of a header, given as its 180 bytes.
export function stateRoot(header) {
  demand(header.length === HEADER_BYTES, "header", `a header of ${header.length} bytes, expected ${HEADER_BYTES}`);
  return header.slice(108, 140);
}

// The parts of the bytes of a proof.
export function parseProof(bytes) {
  demand(bytes.length >= HEAD_BYTES, "length", `${bytes.length} bytes`);
  const kind = bytes[0];
  demand(kind <= KIND_OTHER, "kind", `kind ${kind}`);
  const count = bytes[1] * 256 + bytes[2];
  demand(count <= (kind === KIND_EMPTY ? 0 : MAX_BRANCHES), "path", `${count} branches`);
  const rest = bytes.length - HEAD_BYTES - count * BRANCH_BYTES;
  const [min, max] = [[0, 0], [0, MAX_VALUE_BYTES], [2 * HASH_BYTES, 2 * HASH_BYTES]][kind];
  demand(rest >= min && rest <= max, "length", `${bytes.length} bytes`);
  const branches = [];
  for (let index = 0; index < count; index += 1) {
    const at = HEAD_BYTES + index * BRANCH_BYTES;
    const bit = bytes[at];
    demand(index === 0 || bit < branches[index - 1].bit, "order", `bit ${bit}`);
    branches.push({ bit, sibling: bytes.slice(at + 1, at + BRANCH_BYTES) });
  }
  return { kind, branches, rest: bytes.slice(bytes.length - rest) };
}

// The canonical bytes of the value that the key has under the root, or `null` if it has none. All arguments are bytes: the
// root from a header, the canonical bytes of the key, and the proof.
export async function verifyStateProof(root, key, proof) {
  const { kind, branches, rest } = parseProof(proof);
  const path = await sha256(key);
  let hash;
  let value = null;
  if (kind === KIND_EMPTY) {
    hash = await sha256([TAG_EMPTY]);
  } else if (kind === KIND_ENTRY) {
    value = rest;
    hash = await sha256([TAG_LEAF], path, await sha256(value));
  } else {
    const other = rest.slice(0, HASH_BYTES);
    demand(!isEqual(other, path), "present", "the end of the search is the key itself");
    for (const { bit } of branches) {
      demand(bitOf(other, bit) === bitOf(path, bit), "way", `another side at bit ${bit}`);
    }
    hash = await sha256([TAG_LEAF], rest);
  }
  for (const { bit, sibling } of branches) {
    hash = await sha256([TAG_BRANCH, bit], ...(bitOf(path, bit) === 1 ? [sibling, hash] : [hash, sibling]));
  }
  demand(isEqual(hash, root), "root", "the proof leads to another root");
  return value;
}
