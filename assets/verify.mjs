// Recomputes a block from its JSON with Web Crypto: the hash of its header, its proof of work, and the root over its
// transactions. Trusts nothing that the node says about these.

import { fromCompact, sha256, toHex } from "./receipt.mjs";

const fromHex = (text) => Uint8Array.from(text.match(/../g) ?? [], (byte) => parseInt(byte, 16));
const utf8 = (text) => new TextEncoder().encode(text);

function bigEndian(value, length) {
  const bytes = new Uint8Array(length);
  let rest = BigInt(value);
  for (let at = length - 1; at >= 0; at -= 1, rest >>= 8n) {
    bytes[at] = Number(rest & 0xffn);
  }
  return bytes;
}

/** The 180 bytes that are hashed. */
export function headerBytes(block) {
  return [
    bigEndian(block.version, 4),
    bigEndian(block.height, 8),
    fromHex(block.previous_hash),
    fromHex(block.merkle_root),
    fromHex(block.history_root),
    fromHex(block.state_root),
    bigEndian(block.timestamp, 8),
    fromHex(block.target),
    fromHex(block.miner),
    bigEndian(block.nonce, 8),
  ];
}

/** The canonical bytes of a text: its length as a varint, and its UTF-8. */
export function textBytes(text) {
  const bytes = utf8(text);
  const length = [];
  let rest = bytes.length;
  for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) {
    length.push((rest & 0x7f) | 0x80);
  }
  return [Uint8Array.of(...length, rest), bytes];
}

const LEAF = Uint8Array.of(0);
const NODE = Uint8Array.of(1);

/** The id of a transaction that is a text. */
export const textId = async (text) => toHex(await sha256(LEAF, ...textBytes(text)));

/** The root over leaves that are hashed already (RFC 6962). */
export async function merkleRoot(leaves) {
  if (leaves.length === 0) {
    return sha256();
  }
  let row = leaves;
  while (row.length > 1) {
    const next = [];
    for (let at = 0; at + 1 < row.length; at += 2) {
      next.push(await sha256(NODE, row[at], row[at + 1]));
    }
    // The last one without a partner goes up as it is.
    row = row.length % 2 === 1 ? [...next, row[row.length - 1]] : next;
  }
  return row[0];
}

/**
 * Checks a block.
 * @returns {Promise<{name: string, holds: boolean|null, detail: string}[]>} one result for each check; `null` where the page
 *   cannot check.
 */
export async function verifyBlock(block, asked) {
  const hash = toHex(await sha256(...headerBytes(block)));
  const limit = fromCompact(BigInt(`0x${block.target}`));
  const root = toHex(await merkleRoot(block.transaction_ids.map(fromHex)));
  const areTexts = block.data.every((value) => typeof value === "string");
  const results = [
    { name: "Hash", holds: hash === block.hash && (asked === undefined || asked === hash), detail: `SHA-256 of the header is ${hash}` },
    block.height === 0
      ? { name: "Proof of work", holds: null, detail: "genesis needs none: every node computes it from the rules" }
      : {
          name: "Proof of work",
          holds: limit !== null && BigInt(`0x${hash}`) <= limit,
          detail: `the hash is at most the target that the block claims, ${limit?.toString(16).padStart(64, "0") ?? "which is none"}`,
        },
    { name: "Merkle root", holds: root === block.merkle_root, detail: `${block.transaction_ids.length} ids give ${root}` },
  ];
  if (areTexts) {
    const ids = await Promise.all(block.data.map(textId));
    const holds = ids.length === block.transaction_ids.length && ids.every((id, at) => id === block.transaction_ids[at]);
    results.push({ name: "Transactions", holds, detail: "each id is the hash of its text" });
  } else {
    const detail = "only the application knows the bytes of its transactions, so the page takes their ids as they are";
    results.push({ name: "Transactions", holds: null, detail });
  }
  return results;
}
