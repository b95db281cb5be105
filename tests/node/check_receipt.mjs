// Checks receipts with receipt.mjs, and prints what is proven.
//
//   node tests/node/check_receipt.mjs --key KEY [--key KEY]... [--origin ORIGIN] [--witness KEY]... [--min-witnesses N]
//     [--easiest-target HEX] [--min-blocks-on-top N] FILE...
//
// With --hex, each line of a file is a receipt in hex, of which one line of output says `proven` or `refused` and the step.
// Fails if a receipt is refused, except with --hex.

import { readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { Refused, parseKey, toHex, verifyReceipt } from "../../assets/receipt.mjs";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    key: { type: "string", multiple: true },
    origin: { type: "string" },
    witness: { type: "string", multiple: true, default: [] },
    "min-witnesses": { type: "string", default: "0" },
    "easiest-target": { type: "string" },
    "min-blocks-on-top": { type: "string", default: "0" },
    hex: { type: "boolean", default: false },
  },
});

if (values.key === undefined || positionals.length === 0) {
  console.error("usage: node check_receipt.mjs --key KEY... FILE...");
  process.exit(2);
}

const easiest = values["easiest-target"];
const policy = {
  keys: await Promise.all(values.key.map(parseKey)),
  origin: values.origin,
  witnesses: await Promise.all(values.witness.map(parseKey)),
  minWitnesses: Number(values["min-witnesses"]),
  easiestTarget: easiest === undefined ? null : BigInt(`0x${easiest}`),
  minBlocksOnTop: BigInt(values["min-blocks-on-top"]),
};

async function check(bytes) {
  try {
    return { proven: await verifyReceipt(bytes, policy) };
  } catch (error) {
    if (error instanceof Refused) {
      return { refused: error };
    }
    throw error;
  }
}

function show(file, { proven, refused }) {
  if (refused !== undefined) {
    console.log(`${file}: refused at ${refused.step}: ${refused.message}`);
    process.exitCode = 1;
    return;
  }
  console.log(`${file}: proven`);
  console.log(`  transaction ${toHex(proven.transaction)}`);
  console.log(`  id ${toHex(proven.id)}`);
  console.log(`  block ${toHex(proven.block)}`);
  console.log(`  height ${proven.height}`);
  console.log(`  timestamp ${proven.timestamp}`);
  console.log(`  checkpoint ${proven.checkpoint.size} of ${proven.checkpoint.origin}`);
  proven.signedBy.forEach((key) => console.log(`  signed by ${key.text}`));
  proven.witnesses.forEach(({ witness, seconds }) => console.log(`  witnessed by ${witness.text} at ${seconds}`));
}

for (const file of positionals) {
  const bytes = readFileSync(file);
  if (!values.hex) {
    show(file, await check(bytes));
    continue;
  }
  for (const line of bytes.toString("latin1").split("\n").slice(0, -1)) {
    const { refused } = await check(Uint8Array.from(Buffer.from(line, "hex")));
    console.log(refused === undefined ? "proven" : `refused ${refused.step}`);
  }
}
