// Recomputes the golden bytes of signed transactions, tests/golden/signed.txt, from the seed and the genesis hash. Written
// from docs/signed.md. Shares no code with the crate: Ed25519 is that of Web Crypto.
//
//     node tests/node/check_signed.mjs tests/golden/signed.txt

import { readFileSync } from "node:fs";

const [, , path] = process.argv;
const frozen = readFileSync(path, "utf8").split("\n").filter((line) => line && !line.startsWith("#"));
const field = (name) => frozen.find((line) => line.startsWith(`${name} `)).split(" ")[1];

const text = (string) => new TextEncoder().encode(string);
const bytes = (hex) => Uint8Array.from(hex.match(/../g) ?? [], (digits) => parseInt(digits, 16));
const hex = (array) => Array.from(array, (byte) => byte.toString(16).padStart(2, "0")).join("");
const join = (...parts) => Uint8Array.from(parts.flatMap((part) => [...part]));
const sha256 = async (...parts) => new Uint8Array(await crypto.subtle.digest("SHA-256", join(...parts)));

function bigEndian(number) {
  const array = new Uint8Array(8);
  new DataView(array.buffer).setBigUint64(0, BigInt(number));
  return array;
}

// The root of a map with one entry, or none: see docs/state-proofs.md.
async function mapRoot(entry) {
  if (!entry) {
    return sha256([2]);
  }
  const [key, value] = entry;
  return sha256([3], await sha256(key), await sha256(value));
}

const stateRoot = (sequences) => sha256(text("hashloom signed state v1\0"), sequences, new Uint8Array(32));

// A secret key in PKCS #8 (RFC 8410) is a fixed prefix and the seed.
const seed = bytes(field("seed"));
const pkcs8 = join(bytes("302e020100300506032b657004220420"), seed);
const secret = await crypto.subtle.importKey("pkcs8", pkcs8, { name: "Ed25519" }, true, ["sign"]);
const { x } = await crypto.subtle.exportKey("jwk", secret);
const author = Uint8Array.from(atob(x.replaceAll("-", "+").replaceAll("_", "/")), (c) => c.charCodeAt(0));
const genesis = bytes(field("genesis"));

const lines = [
  `seed ${hex(seed)}`,
  `author ${hex(author)}`,
  `address ${hex((await sha256(text("hashloom address v1\0"), author)).slice(0, 20))}`,
  `genesis ${hex(genesis)}`,
  `root_at_genesis ${hex(await stateRoot(await mapRoot()))}`,
];
// In postcard: a text is its length and its bytes, and a number below 128 is one byte.
const inner = join([8], text("hashloom"));
for (const sequence of [0, 1]) {
  const signed = join(text("hashloom signed v1\0"), genesis, bigEndian(sequence), inner);
  const signature = new Uint8Array(await crypto.subtle.sign({ name: "Ed25519" }, secret, signed));
  const canonical = join(author, bigEndian(sequence), signature, inner);
  const sequences = await mapRoot([author, [sequence + 1]]);
  lines.push(
    `sequence ${sequence}`,
    `signed_bytes ${hex(signed)}`,
    `signature ${hex(signature)}`,
    `canonical ${hex(canonical)}`,
    `id ${hex(await sha256([0], canonical))}`,
    `postcard ${hex(join(author, [sequence], signature, inner))}`,
    `sequences_root ${hex(sequences)}`,
    `state_root ${hex(await stateRoot(sequences))}`,
  );
}
const wrong = lines.filter((line, at) => line !== frozen[at]);
if (wrong.length > 0 || lines.length !== frozen.length) {
  console.error(wrong.join("\n") || "the file has more lines");
  process.exit(1);
}
console.log(`${lines.length} lines are as computed`);
