// Checks a receipt from end to end: that a transaction is in the log whose key has signed the checkpoint. Written from the
// documentation of `hashloom::evidence::Receipt` and the specifications tlog-proof, tlog-checkpoint, tlog-cosignature and
// signed-note of C2SP alone. Shares no code with the crate, and needs nothing but Web Crypto with Ed25519: a browser can
// import this file.

const MAX_BYTES = 6_000_000;
const MAX_SIGNATURES = 100;
const MAX_PATH = 64;
const MAX_TRANSACTION_PATH = 20;
const MAX_TRANSACTIONS = 1 << 20;
const MAX_TRANSACTION_BYTES = 1 << 22;
const HEADER_BYTES = 180;
const MAGIC = "hashloom/receipt@v1\n";
const [ED25519, COSIGNATURE_V1] = [1, 4];

// The step at which a receipt fails.
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

// --- Bytes ---

const utf8 = (text) => new TextEncoder().encode(text);
export const toHex = (bytes) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
const number = (bytes) => bytes.reduce((value, byte) => (value << 8n) | BigInt(byte), 0n);
const isEqual = (left, right) => left.length === right.length && left.every((byte, index) => byte === right[index]);

function concat(...parts) {
  const bytes = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

// Standard base64 with padding; `null` for every other form.
function fromBase64(text) {
  let binary;
  try {
    binary = atob(text);
  } catch {
    return null;
  }
  return btoa(binary) === text ? Uint8Array.from(binary, (character) => character.charCodeAt(0)) : null;
}

// A number without a sign and leading zeros, below 2^64; `null` for every other text.
function fromDecimal(text) {
  if (!/^(0|[1-9][0-9]{0,19})$/.test(text)) {
    return null;
  }
  const value = BigInt(text);
  return value < 1n << 64n ? value : null;
}

// --- Hashes ---

export const sha256 = async (...parts) => new Uint8Array(await crypto.subtle.digest("SHA-256", concat(...parts)));
const leafHash = (bytes) => sha256(Uint8Array.of(0), bytes);
const nodeHash = (left, right) => sha256(Uint8Array.of(1), left, right);

// The root to which a path leads from a leaf, as in RFC 9162, section 2.1.3.2; `null` if the path has another length than
// the tree demands.
async function rootOf(leaf, index, size, path) {
  if (index >= size) {
    return null;
  }
  let [at, last, hash] = [index, size - 1n, leaf];
  for (const sibling of path) {
    if (last === 0n) {
      return null;
    }
    if (at % 2n === 1n || at === last) {
      hash = await nodeHash(sibling, hash);
      while (at % 2n === 0n && at !== 0n) {
        at >>= 1n;
        last >>= 1n;
      }
    } else {
      hash = await nodeHash(hash, sibling);
    }
    at >>= 1n;
    last >>= 1n;
  }
  return last === 0n ? hash : null;
}

// --- Signed notes ---

// A public key in the form `name+key ID+base64(type || key)`.
export async function parseKey(text) {
  const [, name, id, encoded] = /^([^+]+)\+([0-9a-f]{8})\+(.+)$/.exec(text) ?? [];
  const bytes = encoded === undefined ? null : fromBase64(encoded);
  demand(bytes?.length === 33 && [ED25519, COSIGNATURE_V1].includes(bytes[0]), "key", `${text} is no key`);
  const hash = await sha256(utf8(`${name}\n`), bytes);
  demand(toHex(hash.subarray(0, 4)) === id, "key", `${text} has another ID`);
  const key = await crypto.subtle.importKey("raw", bytes.subarray(1), { name: "Ed25519" }, true, ["verify"]);
  return { text, name, id, type: bytes[0], bytes: bytes.subarray(1), key };
}

function parseNote(note) {
  demand(!/[\u0000-\u0009\u000b-\u001f]/.test(note), "note", "a control character");
  const split = note.lastIndexOf("\n\n");
  demand(split >= 0 && note.endsWith("\n"), "note", "no text and signatures");
  const text = note.slice(0, split + 1);
  const lines = note.slice(split + 2).split("\n").slice(0, -1);
  demand(lines.length > 0 && lines.length <= MAX_SIGNATURES, "note", `${lines.length} signatures`);
  const signatures = lines.map((line) => {
    const [, name, encoded] = /^\u2014 ([^\p{White_Space}+]+) ([^ ]+)$/u.exec(line) ?? [];
    const bytes = encoded === undefined ? null : fromBase64(encoded);
    demand(bytes !== null && bytes.length > 4, "note", `${line} is no signature`);
    return { name, id: toHex(bytes.subarray(0, 4)), bytes: bytes.subarray(4) };
  });
  return { text, signatures };
}

const verifyBytes = (key, signature, message) =>
  crypto.subtle.verify({ name: "Ed25519" }, key.key, signature, message);

// The time of a signature in seconds, for a cosigner, or `null`. Refuses an invalid one.
async function verifySignature(key, signature, text) {
  let [seconds, bytes, message] = [null, signature.bytes, text];
  if (key.type === COSIGNATURE_V1) {
    seconds = number(bytes.subarray(0, 8));
    bytes = bytes.subarray(8);
    message = `cosignature/v1\ntime ${seconds}\n${text}`;
  }
  const isValid =
    bytes.length === 64 && (seconds ?? 0n) < 1n << 63n && (await verifyBytes(key, bytes, utf8(message)));
  demand(isValid, "signature", `an invalid signature of ${key.name}+${key.id}`);
  return seconds;
}

// The text of a note, and the time of each known key that has signed it.
async function openNote(note, keys) {
  const times = new Map();
  for (const signature of note.signatures) {
    const key = keys.find(({ name, id }) => name === signature.name && id === signature.id);
    if (key !== undefined) {
      const time = await verifySignature(key, signature, note.text);
      if (!times.has(key)) {
        times.set(key, time);
      }
    }
  }
  return times;
}

function parseCheckpoint(text) {
  const [origin, sizeLine, rootLine, ...extensions] = text.split("\n").slice(0, -1);
  const size = fromDecimal(sizeLine ?? "");
  const root = fromBase64(rootLine ?? "");
  demand(origin !== "" && size !== null && root?.length === 32, "checkpoint", "no checkpoint");
  demand(extensions.every((line) => line !== ""), "checkpoint", "an empty extension line");
  return { origin, size, root };
}

// --- Receipts ---

function parseHeader(bytes) {
  return {
    bytes,
    version: number(bytes.subarray(0, 4)),
    height: number(bytes.subarray(4, 12)),
    merkleRoot: bytes.subarray(44, 76),
    timestamp: number(bytes.subarray(140, 148)),
    target: number(bytes.subarray(148, 152)),
  };
}

// What a `.tlog-proof` file has no field for.
function parseExtra(extra) {
  demand(isEqual(extra.subarray(0, MAGIC.length), utf8(MAGIC)), "extra", "not the extra data of a receipt");
  let at = MAGIC.length;
  const take = (length) => {
    demand(length <= extra.length - at, "extra", "the extra data is too short");
    at += length;
    return extra.subarray(at - length, at);
  };
  const header = parseHeader(take(HEADER_BYTES));
  const index = number(take(4));
  const count = number(take(4));
  demand(index < count && count <= MAX_TRANSACTIONS, "extra", `transaction ${index} of ${count}`);
  const [hashes] = take(1);
  demand(hashes <= MAX_TRANSACTION_PATH, "extra", `a path of ${hashes} hashes`);
  const path = Array.from({ length: hashes }, () => take(32));
  const transaction = extra.subarray(at);
  demand(transaction.length <= MAX_TRANSACTION_BYTES, "extra", "a transaction that is larger than a block");
  return { header, index, count, path, transaction };
}

function parseReceipt(text) {
  const end = text.indexOf("\n\n");
  demand(end >= 0, "format", "no empty line");
  const [version, extraLine, indexLine, ...hashes] = text.slice(0, end).split("\n");
  demand(version === "c2sp.org/tlog-proof@v1", "format", `the version ${version}`);
  const field = (line, name) => (line?.startsWith(`${name} `) ? line.slice(name.length + 1) : "");
  const extra = fromBase64(field(extraLine, "extra"));
  demand(extra !== null && extra.length > 0, "format", "no extra data");
  const index = fromDecimal(field(indexLine, "index"));
  demand(index !== null, "format", "no index");
  demand(hashes.length <= MAX_PATH, "format", `a path of ${hashes.length} hashes`);
  const path = hashes.map((line) => fromBase64(line));
  demand(path.every((hash) => hash?.length === 32), "format", "a line that is no hash");
  const content = parseExtra(extra);
  demand(index === content.header.height, "index", `the entry ${index} is block ${content.header.height}`);
  return { content, path, note: parseNote(text.slice(end + 2)) };
}

// The target that a compact form stands for; `null` if it is none. The highest byte is an exponent of 256.
export function fromCompact(compact) {
  const [exponent, mantissa] = [compact >> 24n, compact & 0x7fffffn];
  const target = exponent <= 3n ? mantissa >> (8n * (3n - exponent)) : mantissa << (8n * (exponent - 3n));
  return target === 0n || target >> 256n !== 0n || (compact & 0x800000n) !== 0n ? null : target;
}

// Checks a receipt, the bytes of a `.tlog-proof` file, and returns what is proven. Throws `Refused`.
//
// The policy: `keys` of the log, as from `parseKey`, all of which must have signed; `origin`, by default the name of the
// first key; `witnesses` and `minWitnesses`, how many of them must have cosigned; `easiestTarget` of the block in compact
// form; and `minBlocksOnTop`. Only `keys` has to be given.
export async function verifyReceipt(bytes, policy) {
  const { keys, witnesses = [], minWitnesses = 0, easiestTarget = null, minBlocksOnTop = 0n } = policy;
  const origin = policy.origin ?? keys[0].name;
  demand(bytes.length <= MAX_BYTES, "format", `${bytes.length} bytes`);
  let text;
  try {
    text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw new Refused("format", "not UTF-8");
  }
  const { content, path, note } = parseReceipt(text);
  const checkpoint = parseCheckpoint(note.text);

  const times = await openNote(note, [...keys, ...witnesses]);
  const missing = keys.find((key) => !times.has(key));
  demand(missing === undefined, "signature", `no signature of ${missing?.name}+${missing?.id}`);
  demand(checkpoint.origin === origin, "origin", `a checkpoint of ${checkpoint.origin}, not of ${origin}`);
  const cosigned = witnesses.filter((witness) => times.has(witness));
  demand(cosigned.length >= minWitnesses, "witnesses", `${cosigned.length} of ${minWitnesses} witnesses`);

  const { header, transaction } = content;
  const block = await sha256(header.bytes);
  const root = await rootOf(await leafHash(block), header.height, checkpoint.size, path);
  demand(root !== null && isEqual(root, checkpoint.root), "log", `block ${header.height} is not in the log`);

  demand(header.version === 1n, "version", `a header of version ${header.version}`);
  const target = fromCompact(header.target);
  demand(target !== null, "target", "the header has no target");
  const easiest = easiestTarget === null ? null : fromCompact(easiestTarget);
  demand(easiest === null || target <= easiest, "target", "the target of the header is too easy");
  demand(number(block) <= target, "work", "the header has no proof of work");
  const onTop = checkpoint.size - header.height - 1n;
  demand(onTop >= minBlocksOnTop, "top", `${onTop} blocks on top`);

  const id = await leafHash(transaction);
  const merkleRoot = await rootOf(id, content.index, content.count, content.path);
  const isInBlock = merkleRoot !== null && isEqual(merkleRoot, header.merkleRoot);
  demand(isInBlock, "block", `the transaction is not in block ${header.height}`);
  return {
    transaction,
    id,
    block,
    height: header.height,
    timestamp: header.timestamp,
    checkpoint,
    signedBy: keys,
    witnesses: cosigned.map((witness) => ({ witness, seconds: times.get(witness) })),
  };
}
