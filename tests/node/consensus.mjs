// The consensus rules, from docs/consensus.md alone: the commitment of a spec, its genesis block, targets, work and the
// median. Shares no code with the crate.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";

export const sha256 = (...parts) => parts.reduce((hash, part) => hash.update(part), createHash("sha256")).digest();
export const hex = (bytes) => Buffer.from(bytes).toString("hex");

const min = (a, b) => (a < b ? a : b);
const max = (a, b) => (a > b ? a : b);
const clamp = (value, low, high) => max(low, min(value, high));
const floorDiv = (a, b) => (a % b < 0n ? a / b - 1n : a / b);

// --- The spec ---

export const DEFAULT_SPEC = {
  name: "hashloom",
  genesis_time: 1767225600000n,
  easiest_target: 0x1f00ffffn,
  block_interval_ms: 10000n,
  retarget: { rule: "BoundedLwma", blocks: 90n },
  max_block_bytes: 1048576n,
  max_block_transactions: 16384n,
  max_future_drift_ms: 120000n,
  finality_depth: null,
  genesis_data: Buffer.of(),
};

// The variants of a retargeting rule in the order of their numbers, each with its fields.
export const RULES = [
  ["Fixed", []],
  ["Step", []],
  ["Window", ["blocks"]],
  ["Lwma", ["blocks"]],
  ["Asert", ["half_life_ms"]],
  ["BoundedLwma", ["blocks"]],
];

export function varint(value) {
  const bytes = [];
  for (; value >= 0x80n; value >>= 7n) {
    bytes.push(Number(value & 0x7fn) | 0x80);
  }
  return Buffer.of(...bytes, Number(value));
}

function ruleBytes(retarget) {
  const number = RULES.findIndex(([rule]) => rule === retarget.rule);
  assert.ok(number >= 0, `no rule is named ${retarget.rule}`);
  return Buffer.concat([varint(BigInt(number)), ...RULES[number][1].map((field) => varint(retarget[field]))]);
}

export function specBytes(spec) {
  const name = Buffer.from(spec.name, "utf-8");
  return Buffer.concat([
    varint(BigInt(name.length)),
    name,
    varint(spec.genesis_time),
    varint(spec.easiest_target),
    varint(spec.block_interval_ms),
    ruleBytes(spec.retarget),
    varint(spec.max_block_bytes),
    varint(spec.max_block_transactions),
    varint(spec.max_future_drift_ms),
    spec.finality_depth === null ? Buffer.of(0) : Buffer.concat([Buffer.of(1), varint(spec.finality_depth)]),
    ...(spec.genesis_data.length === 0 ? [] : [varint(BigInt(spec.genesis_data.length)), spec.genesis_data]),
  ]);
}

export const commitment = (spec) => sha256("hashloom chain spec v1", Buffer.of(0), specBytes(spec));

// The header of the genesis block of an application without a state root.
export function genesisHeader(spec) {
  const empty = hex(sha256());
  return {
    version: 1n,
    height: 0n,
    previous_hash: hex(commitment(spec)),
    merkle_root: empty,
    history_root: empty,
    state_root: "00".repeat(32),
    timestamp: spec.genesis_time,
    target: spec.easiest_target.toString(16).padStart(8, "0"),
    miner: "00".repeat(20),
    nonce: 0n,
  };
}

// --- Targets and work ---

// The number that 32 bits stand for.
export function fromCompact(bits) {
  const [size, mantissa] = [bits >> 24n, bits & 0x7fffffn];
  const target = size > 3n ? mantissa << (8n * (size - 3n)) : mantissa >> (8n * (3n - size));
  assert.ok(target > 0n && target < 1n << 256n && (bits & 0x800000n) === 0n, `${bits.toString(16)} is no target`);
  return target;
}

export function toCompact(target) {
  let size = BigInt(Math.ceil(target.toString(16).length / 2));
  let mantissa = size > 3n ? target >> (8n * (size - 3n)) : target << (8n * (3n - size));
  if ((mantissa & 0x800000n) !== 0n) {
    mantissa >>= 8n;
    size += 1n;
  }
  return (size << 24n) | mantissa;
}

export const work = (target) => (1n << 256n) / (target + 1n);

// --- Time ---

// The median of the up to 11 last timestamps, in any order.
export function median(timestamps) {
  const sorted = [...timestamps].sort((a, b) => (a < b ? -1 : 1));
  return sorted[Math.floor(sorted.length / 2)];
}

// --- Retargeting ---

// The compact target of the block on the parent at height p. T and G give the timestamp and the target of the ancestor
// at a height from 1 on.
export function nextTarget(spec, p, T, G) {
  const easiest = fromCompact(spec.easiest_target);
  const number = p === 0n ? easiest : rules[spec.retarget.rule](spec.retarget, p, T, G, easiest, spec.block_interval_ms);
  return toCompact(clamp(number, 1n, easiest));
}

const rules = {
  Fixed: (_, p, T, G, easiest) => easiest,

  Step(_, p, T, G, easiest, interval) {
    if (p === 1n) {
      return G(1n);
    }
    const took = max(T(p) - T(p - 1n), 0n);
    if (took === interval) {
      return G(p);
    }
    return took < interval ? G(p) / 2n : G(p) * 2n;
  },

  Window({ blocks }, p, T, G, easiest, interval) {
    const first = max(p - blocks, 1n);
    if ((p + 1n) % blocks !== 0n || first === p) {
      return G(p);
    }
    const wanted = (p - first) * interval;
    const took = clamp(max(T(p) - T(first), 0n), wanted / 4n, wanted * 4n);
    return (G(p) * took) / wanted;
  },

  Lwma: (rule, ...rest) => average(rule, ...rest, (weighted, wanted) => max(weighted, wanted / 10n)),

  BoundedLwma: (rule, ...rest) =>
    average(rule, ...rest, (weighted, wanted) => clamp(weighted, (wanted * 4n) / 5n, (wanted * 5n) / 2n)),

  Asert({ half_life_ms }, p, T, G, easiest, interval) {
    const lag = T(p) - T(1n) - (p - 1n) * interval;
    // BigInt divides towards zero.
    const exponent = (lag * 65536n) / half_life_ms;
    const whole = floorDiv(exponent, 65536n);
    const y = exponent - 65536n * whole;
    const cubic = 195766423245049n * y + 971821376n * y ** 2n + 5127n * y ** 3n + (1n << 47n);
    const factor = 65536n + (cubic >> 48n);
    const shift = whole - 16n;
    return shift < 0n ? (G(1n) * factor) >> -shift : (G(1n) * factor) << shift;
  },
};

function average({ blocks }, p, T, G, easiest, interval, limit) {
  const first = max(p - blocks, 1n);
  const missing = blocks - (p - first);
  const wanted = (interval * blocks * (blocks + 1n)) / 2n;
  let targets = missing * easiest;
  let weighted = (interval * missing * (missing + 1n)) / 2n;
  let weight = missing;
  let clock = T(first);
  for (let height = first + 1n; height <= p; height += 1n) {
    weight += 1n;
    const time = max(T(height), clock + 1n);
    weighted += weight * min(time - clock, 6n * interval);
    targets += G(height);
    clock = time;
  }
  return (targets * limit(weighted, wanted)) / (blocks * wanted);
}
