// Checks proofs of state entries with state_proof.mjs, and prints what they show.
//
//   node tests/node/check_state_proof.mjs FILE...
//
// Each line of a file has, in hex and separated by spaces: the 32 bytes of a state root or the 180 bytes of a header, the
// canonical bytes of a key, and a proof. What follows is ignored, and so are lines that begin with #. One line of output
// for each says `present` and the canonical bytes of the value, `absent`, or `refused` and the step.

import { readFileSync } from "node:fs";
import { Refused, stateRoot, verifyStateProof } from "./state_proof.mjs";

const files = process.argv.slice(2);
if (files.length === 0) {
  console.error("usage: node check_state_proof.mjs FILE...");
  process.exit(2);
}

const fromHex = (text) => Uint8Array.from(Buffer.from(text, "hex"));

async function check(line) {
  const [trusted, key, proof] = line.split(" ").map(fromHex);
  try {
    const root = trusted.length === 32 ? trusted : stateRoot(trusted);
    const value = await verifyStateProof(root, key, proof);
    return value === null ? "absent" : `present ${Buffer.from(value).toString("hex")}`.trimEnd();
  } catch (error) {
    if (error instanceof Refused) {
      return `refused ${error.step}`;
    }
    throw error;
  }
}

for (const file of files) {
  const lines = readFileSync(file, "latin1").split("\n").filter((line) => line !== "" && !line.startsWith("#"));
  for (const line of lines) {
    console.log(await check(line));
  }
}
