// Reads what a hashloom peer writes, by docs/protocol.md, docs/architecture.md and docs/consensus.md alone: every kind of
// message in JSON, bincode and postcard, field by field the same; and blocks, whose hashes, proof of work, Merkle roots,
// targets and genesis it computes itself.
//
//   node tests/node/decode.mjs [directory with message.json.txt, message.bincode.txt, message.postcard.txt]...
//
// Without a directory: tests/golden. Shares no code with the crate and needs nothing but Node.js.

import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import {
  DEFAULT_SPEC,
  RULES,
  commitment,
  fromCompact,
  genesisHeader,
  hex,
  median,
  nextTarget,
  sha256,
  specBytes,
  toCompact,
  varint,
  work,
} from "./consensus.mjs";

// Reads values from the front of a frame. Integers become BigInt, so that none is rounded.
class Reader {
  constructor(bytes) {
    this.bytes = bytes;
    this.at = 0;
  }

  take(length) {
    assert.ok(length <= this.bytes.length - this.at, `${length} bytes wanted at ${this.at} of ${this.bytes.length}`);
    this.at += length;
    return this.bytes.subarray(this.at - length, this.at);
  }

  bool() {
    const [byte] = this.take(1);
    assert.ok(byte <= 1, `${byte} is no boolean`);
    return byte === 1;
  }

  hash() {
    return hex(this.take(32));
  }

  string() {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(this.take(this.length()));
  }

  option(read) {
    return this.bool() ? read() : null;
  }

  list(read) {
    const length = this.length();
    assert.ok(length <= this.bytes.length - this.at, `a list claims ${length} items`);
    return Array.from({ length }, read);
  }

  end() {
    assert.equal(this.at, this.bytes.length, "bytes behind the message");
  }
}

class Bincode extends Reader {
  u32() {
    return BigInt(this.take(4).readUInt32LE());
  }

  u64() {
    return this.take(8).readBigUInt64LE();
  }

  kind() {
    return this.u32();
  }

  length() {
    return Number(this.u64());
  }
}

class Postcard extends Reader {
  // LEB128: seven bits in a byte, the lowest first; the highest bit says that more follow.
  varint(bits) {
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      const [byte] = this.take(1);
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) {
        assert.ok(value < 1n << bits, `${value} has more than ${bits} bits`);
        return value;
      }
      assert.ok(shift < bits, "an integer without an end");
    }
  }

  u32() {
    return this.varint(32n);
  }

  u64() {
    return this.varint(64n);
  }

  kind() {
    return this.u32();
  }

  length() {
    return Number(this.u64());
  }
}

const HEADER_BYTES = 180;

// The header's 180 bytes are big-endian in every binary format.
function readHeader(reader) {
  const bytes = reader.take(HEADER_BYTES);
  const fields = {
    version: BigInt(bytes.readUInt32BE(0)),
    height: bytes.readBigUInt64BE(4),
    previous_hash: hex(bytes.subarray(12, 44)),
    merkle_root: hex(bytes.subarray(44, 76)),
    history_root: hex(bytes.subarray(76, 108)),
    state_root: hex(bytes.subarray(108, 140)),
    timestamp: bytes.readBigUInt64BE(140),
    target: hex(bytes.subarray(148, 152)),
    miner: hex(bytes.subarray(152, 172)),
    nonce: bytes.readBigUInt64BE(172),
  };
  assert.equal(hex(headerBytes(fields)), hex(bytes), "a header's bytes are not those of its fields");
  return fields;
}

function headerBytes(header) {
  const bytes = Buffer.alloc(HEADER_BYTES);
  bytes.writeUInt32BE(Number(header.version), 0);
  bytes.writeBigUInt64BE(header.height, 4);
  bytes.write(header.previous_hash, 12, "hex");
  bytes.write(header.merkle_root, 44, "hex");
  bytes.write(header.history_root, 76, "hex");
  bytes.write(header.state_root, 108, "hex");
  bytes.writeBigUInt64BE(header.timestamp, 140);
  bytes.write(header.target, 148, "hex");
  bytes.write(header.miner, 152, "hex");
  bytes.writeBigUInt64BE(header.nonce, 172);
  return bytes;
}

function readBlock(reader) {
  return { header: readHeader(reader), data: reader.list(() => reader.string()) };
}

// The kinds in the order of their numbers, and how the content of each is read.
const KINDS = [
  [
    "hello",
    (r) => ({
      protocol: r.u32(),
      genesis: r.hash(),
      nonce: r.u64(),
      tip: { hash: r.hash(), height: r.u64(), work: r.hash() },
      agent: r.string(),
      listen: r.option(() => r.string()),
      wants_new_blocks: r.bool(),
      keeps_bodies: r.option(() => r.u64()),
    }),
  ],
  ["ping", (r) => r.u64()],
  ["pong", (r) => r.u64()],
  ["get_headers", (r) => ({ locator: r.list(() => r.hash()), limit: r.u32() })],
  ["headers", (r) => r.list(() => readHeader(r))],
  ["get_blocks", (r) => ({ hashes: r.list(() => r.hash()) })],
  ["blocks", (r) => r.list(() => readBlock(r))],
  ["not_found", (r) => ({ hashes: r.list(() => r.hash()) })],
  ["announce", readHeader],
  ["new_block", readBlock],
  ["offer", (r) => ({ ids: r.list(() => r.hash()) })],
  ["get_transactions", (r) => ({ ids: r.list(() => r.hash()) })],
  ["transactions", (r) => r.list(() => r.string())],
  ["bye", (r) => ({ reason: r.string() })],
  ["get_peers", (r) => ({ limit: r.u32() })],
  ["peers", (r) => ({ addresses: r.list(() => r.string()) })],
];

function readBinary(reader) {
  const number = Number(reader.kind());
  assert.ok(number < KINDS.length, `no kind has the number ${number}`);
  const [kind, read] = KINDS[number];
  const message = { [kind]: read(reader) };
  reader.end();
  return message;
}

// JSON with every integer as a BigInt: JSON.parse would round those above 2^53. In a text of JSON a quote opens or ends a
// string unless it is escaped, so numbers outside of strings are found without parsing.
function readJson(text) {
  const MARK = "integer:";
  const marked = text.replace(/"(?:[^"\\]|\\.)*"|-?\d+/g, (token) =>
    token.startsWith('"') ? `"${"string:"}${token.slice(1)}` : `"${MARK}${token}"`,
  );
  const unmark = (value) => {
    if (typeof value === "string") {
      return value.startsWith(MARK) ? BigInt(value.slice(MARK.length)) : value.slice("string:".length);
    }
    if (Array.isArray(value)) {
      return value.map(unmark);
    }
    if (value === null || typeof value !== "object") {
      return value;
    }
    return Object.fromEntries(Object.entries(value).map(([name, inner]) => [unmark(name), unmark(inner)]));
  };
  return unmark(JSON.parse(marked));
}

// RFC 6962: other prefixes for leaves and nodes, split at the largest power of two below the number of leaves.
const leaf = (bytes) => sha256(Buffer.of(0), bytes);

function merkleRoot(leaves) {
  if (leaves.length === 0) {
    return sha256();
  }
  if (leaves.length === 1) {
    return leaves[0];
  }
  let split = 1;
  while (split * 2 < leaves.length) {
    split *= 2;
  }
  return sha256(Buffer.of(1), merkleRoot(leaves.slice(0, split)), merkleRoot(leaves.slice(split)));
}

// The canonical bytes of a text: its length as a varint, and its bytes.
function canonicalText(text) {
  const bytes = Buffer.from(text, "utf-8");
  return Buffer.concat([varint(BigInt(bytes.length)), bytes]);
}

const transactionIds = (block) => block.data.map((text) => leaf(canonicalText(text)));

const target = (compact) => fromCompact(BigInt(`0x${compact}`));

// The chain of the golden blocks.
const GOLDEN_SPEC = { ...DEFAULT_SPEC, name: "golden", easiest_target: 0x2000ffffn, retarget: { rule: "Fixed" } };

// The size that counts against the limit: the header's bytes and the canonical bytes of the transactions.
const blockSize = (block) =>
  block.data.reduce((size, text) => size + BigInt(canonicalText(text).length), BigInt(HEADER_BYTES));

// Checks a block of a chain by all rules but those of the clock and the application. `before` are the headers of all
// blocks before it, genesis first.
function checkBlock(block, before, spec) {
  const { header } = block;
  const hash = sha256(headerBytes(header));
  assert.equal(header.version, 1n);
  assert.ok(header.nonce < 1n << 53n);
  assert.ok(BigInt(`0x${hex(hash)}`) <= target(header.target), "no proof of work");
  assert.ok(BigInt(block.data.length) <= spec.max_block_transactions);
  assert.equal(header.merkle_root, hex(merkleRoot(transactionIds(block))));
  assert.ok(blockSize(block) <= spec.max_block_bytes);
  const hashes = before.map((ancestor) => sha256(headerBytes(ancestor)));
  assert.equal(header.previous_hash, hex(hashes.at(-1)));
  assert.equal(header.height, BigInt(before.length));
  const [T, G] = [(height) => before[height].timestamp, (height) => target(before[height].target)];
  assert.equal(BigInt(`0x${header.target}`), nextTarget(spec, header.height - 1n, T, G));
  assert.ok(header.timestamp > median(before.slice(-11).map((ancestor) => ancestor.timestamp)), "not after the median");
  assert.equal(header.history_root, hex(merkleRoot(hashes.map(leaf))));
  return hash;
}

function lines(path) {
  return readFileSync(path, "utf-8").split("\n").filter((line) => line !== "" && !line.startsWith("#"));
}

function values(path) {
  return Object.fromEntries(lines(path).map((line) => line.split(/: (.*)/s).slice(0, 2)));
}

function checkMessages(directory) {
  const read = (format, decode) =>
    lines(join(directory, `message.${format}.txt`)).map((line) => {
      const space = line.indexOf(" ");
      return [line.slice(0, space), decode(line.slice(space + 1))];
    });
  const json = read("json", readJson);
  const bincode = read("bincode", (text) => readBinary(new Bincode(Buffer.from(text, "hex"))));
  const postcard = read("postcard", (text) => readBinary(new Postcard(Buffer.from(text, "hex"))));
  assert.ok(json.length > 0);
  assert.deepEqual([bincode.length, postcard.length], [json.length, json.length]);
  const counts = new Map();
  json.forEach(([kind, message], index) => {
    assert.deepEqual(Object.keys(message), [kind]);
    assert.deepEqual(bincode[index], [kind, message]);
    assert.deepEqual(postcard[index], [kind, message]);
    counts.set(kind, (counts.get(kind) ?? 0) + 1);
  });
  assert.deepEqual([...counts.keys()].sort(), KINDS.map(([kind]) => kind).sort());
  console.log(`${directory}: ${json.length} messages in 3 formats`);
  for (const [kind, count] of counts) {
    console.log(`  ${kind} ${count}`);
  }
}

function checkMinedBlock(path) {
  const golden = values(path);
  const block = readJson(golden["block in JSON"]);
  const reader = new Postcard(Buffer.from(golden["block in postcard"], "hex"));
  assert.deepEqual(readBlock(reader), block);
  reader.end();
  assert.equal(hex(headerBytes(block.header)), golden.header);
  assert.equal(transactionIds(block).map(hex).join(" "), golden["transaction ids"]);
  assert.equal(hex(checkBlock(block, [genesisHeader(GOLDEN_SPEC)], GOLDEN_SPEC)), golden.hash);
  console.log(`${path}: 1 block with proof of work`);
}

// An archive: a head, blocks with checksums of a running hash, and a total.
function checkArchive(path) {
  const golden = values(path);
  const reader = new Reader(Buffer.from(golden.file, "hex"));
  const headLength = 61 + reader.bytes[60];
  let running = sha256(reader.bytes.subarray(0, headLength));
  const checksum = () => assert.equal(hex(reader.take(8)), hex(running.subarray(0, 8)));
  reader.take(12);
  const headers = [genesisHeader(GOLDEN_SPEC)];
  assert.equal(hex(reader.take(32)), hex(sha256(headerBytes(headers[0]))));
  assert.equal(reader.take(8).readBigUInt64BE(), 1n);
  const count = Number(reader.take(8).readBigUInt64BE());
  reader.take(headLength - reader.at);
  checksum();
  let tip;
  for (let number = 0; number < count; number++) {
    const length = reader.take(4);
    const bytes = reader.take(length.readUInt32BE());
    running = sha256(running, length, bytes);
    checksum();
    const inner = new Postcard(bytes);
    const block = readBlock(inner);
    inner.end();
    tip = checkBlock(block, headers, GOLDEN_SPEC);
    headers.push(block.header);
  }
  const end = reader.take(12);
  assert.deepEqual([end.readUInt32BE(), end.readBigUInt64BE(4)], [0, BigInt(count)]);
  assert.equal(hex(reader.take(32)), hex(sha256(running, end)));
  reader.end();
  assert.equal(hex(tip), golden.tip);
  console.log(`${path}: ${count} blocks with proof of work`);
}

// The chain of spec.txt.
const OTHER_SPEC = {
  name: "Vereinschronik Übersee",
  genesis_time: 1800000000000n,
  easiest_target: 0x1e7fff80n,
  block_interval_ms: 2500n,
  retarget: { rule: "Asert", half_life_ms: 3600000n },
  max_block_bytes: 300000n,
  max_block_transactions: 200n,
  max_future_drift_ms: 15000n,
  finality_depth: 100n,
  genesis_data: Buffer.of(),
};

// The chain of genesis_data.txt.
const GENESIS_DATA_SPEC = { ...DEFAULT_SPEC, name: "genesis data", genesis_data: Buffer.alloc(200, 0xa5) };

function checkGenesis(path, spec) {
  const golden = values(path);
  assert.equal(hex(specBytes(spec)), golden.rules);
  assert.equal(hex(commitment(spec)), golden.commitment);
  const bytes = headerBytes(genesisHeader(spec));
  assert.equal(hex(bytes), golden["genesis header"]);
  assert.equal(hex(sha256(bytes)), golden["genesis hash"]);
  console.log(`${path}: the genesis block from its spec`);
}

// The targets of every retargeting rule along a chain of timestamps, and the work of targets.
function checkRetargeting(path) {
  const golden = values(path);
  const easiest_target = BigInt(`0x${golden["easiest target"]}`);
  const block_interval_ms = BigInt(golden["interval in milliseconds"]);
  const timestamps = golden.timestamps.split(" ").map(BigInt);
  const seen = new Set();
  let works = 0;
  for (const [name, value] of Object.entries(golden)) {
    const [what, bytes] = name.split(" ");
    if (what === "work") {
      assert.equal(work(target(bytes)).toString(), value);
      assert.equal(toCompact(target(bytes)), BigInt(`0x${bytes}`));
      works += 1;
    }
    if (what !== "rule") {
      continue;
    }
    const reader = new Postcard(Buffer.from(bytes, "hex"));
    const [rule, fields] = RULES[Number(reader.kind())];
    const retarget = { rule, ...Object.fromEntries(fields.map((field) => [field, reader.u64()])) };
    reader.end();
    const spec = { ...DEFAULT_SPEC, easiest_target, block_interval_ms, retarget };
    const compact = [easiest_target];
    const [T, G] = [(height) => timestamps[height - 1n], (height) => fromCompact(compact[height])];
    timestamps.forEach((_, p) => compact.push(nextTarget(spec, BigInt(p), T, G)));
    const shown = compact.slice(1).map((bits) => bits.toString(16).padStart(8, "0"));
    assert.equal(shown.join(" "), value, name);
    seen.add(rule);
  }
  assert.deepEqual([...seen].sort(), RULES.map(([rule]) => rule).sort(), "a rule without targets");
  assert.ok(works > 0);
  console.log(`${path}: ${timestamps.length} targets under each of ${seen.size} rules, ${works} values of work`);
}

const given = process.argv.slice(2);
const golden = join(dirname(fileURLToPath(import.meta.url)), "../golden");
for (const directory of given.length > 0 ? given : [golden]) {
  checkMessages(directory);
  for (const [file, check] of [
    ["mined_block.txt", checkMinedBlock],
    ["archive.txt", checkArchive],
    ["default_spec.txt", (path) => checkGenesis(path, DEFAULT_SPEC)],
    ["spec.txt", (path) => checkGenesis(path, OTHER_SPEC)],
    ["genesis_data.txt", (path) => checkGenesis(path, GENESIS_DATA_SPEC)],
    ["retarget.txt", checkRetargeting],
  ]) {
    const path = join(directory, file);
    if (existsSync(path)) {
      check(path);
    }
  }
}
