// Checks balances and sequence numbers from a header alone. Written from docs/ledger.md, docs/state-proofs.md and BIP 350;
// shares no code with the crate.
//
//     node tests/node/check_balance.mjs FILE
//
// The first line of the file is `header HEX`. Each other one is `balance ADDRESS PROOF`, with the address in bech32m, or
// `number PUBLIC_KEY PROOF`. What follows is ignored, and so are lines that begin with #. One line of output for each says the
// address or the key, and its units or its next number, or `refused` and the step.

import { readFileSync } from "node:fs";
import { Refused, stateRoot, verifyStateProof } from "./state_proof.mjs";

const [, , path] = process.argv;
const CHARACTERS = "qpzry9x8gf2tvdw0s3jn54khce6mua7l";
const GENERATOR = [0x3b6a57b2, 0x26508e6d, 0x1ea119fa, 0x3d4233dd, 0x2a1462b3];
const BECH32M = 0x2bc830a3;

const text = (string) => new TextEncoder().encode(string);
const fromHex = (hex) => Uint8Array.from(Buffer.from(hex, "hex"));
const join = (...parts) => Uint8Array.from(parts.flatMap((part) => [...part]));
const sha256 = async (...parts) => new Uint8Array(await crypto.subtle.digest("SHA-256", join(...parts)));
const isEqual = (left, right) => left.length === right.length && left.every((byte, index) => byte === right[index]);

function demand(condition, step) {
  if (!condition) {
    throw new Refused(step, step);
  }
}

// The 20 bytes of an address.
function parseAddress(address) {
  const end = address.lastIndexOf("1");
  const prefix = [...address.slice(0, end)].map((letter) => letter.charCodeAt(0));
  const data = [...address.slice(end + 1)].map((letter) => CHARACTERS.indexOf(letter));
  demand(data.every((value) => value >= 0), "character");
  let checksum = 1;
  for (const value of [...prefix.map((code) => code >> 5), 0, ...prefix.map((code) => code & 31), ...data]) {
    const top = checksum >> 25;
    checksum = ((checksum & 0x1ffffff) << 5) ^ value;
    GENERATOR.forEach((factor, bit) => {
      checksum ^= (top >> bit) & 1 ? factor : 0;
    });
  }
  demand(checksum === BECH32M, "checksum");
  const bits = data.slice(0, -6).map((value) => value.toString(2).padStart(5, "0")).join("");
  demand(bits.length === 160, "length");
  return Uint8Array.from(bits.match(/.{8}/g), (byte) => parseInt(byte, 2));
}

// A number in postcard: 7 bits in each byte, the lowest first.
const parseNumber = (bytes) => bytes.reduceRight((sum, byte) => (sum << 7n) | BigInt(byte & 127), 0n);

async function check(root, [kind, key, hex]) {
  try {
    const proof = fromHex(hex);
    const sequences = proof.slice(0, 32);
    let value;
    if (kind === "balance") {
      const [accounts, minted] = [proof.slice(32, 64), proof.slice(64, 72)];
      const ledger = await sha256(text("hashloom ledger v1\0"), accounts, minted);
      demand(isEqual(await sha256(text("hashloom signed state v1\0"), sequences, ledger), root), "state root");
      value = await verifyStateProof(accounts, parseAddress(key), proof.slice(72));
    } else {
      const application = proof.slice(32, 64);
      demand(isEqual(await sha256(text("hashloom signed state v1\0"), sequences, application), root), "state root");
      value = await verifyStateProof(sequences, fromHex(key), proof.slice(64));
    }
    return `${key} ${value === null ? 0 : parseNumber(value)}`;
  } catch (error) {
    if (error instanceof Refused) {
      return `refused ${error.step}`;
    }
    throw error;
  }
}

const lines = readFileSync(path, "utf8").split("\n").filter((line) => line && !line.startsWith("#"));
const [header, ...entries] = lines.map((line) => line.split(" "));
const root = stateRoot(fromHex(header[1]));
for (const entry of entries) {
  console.log(await check(root, entry));
}
