// The pages. Each function fetches what it shows and returns elements; nothing here keeps state between two calls.

import * as api from "./api.mjs";
import { counts, graph, line } from "./charts.mjs";
import { ago, blockLink, data, facts, h, quantity, span, time, transactionLink } from "./dom.mjs";
import { Refused, parseKey, toHex, verifyReceipt } from "./receipt.mjs";
import { verifyBlock } from "./verify.mjs";

/** The blocks of a page of the list. */
const SHOWN_BLOCKS = 40;
/** The headers that the charts have. */
const CHART_HEADERS = 120;
/** The blocks that are searched for a text, and how many are fetched at a time. */
const SEARCHED_BLOCKS = 500;
const SEARCH_STEP = 100;
const LISTED_BLOCKS = 15;
const SHOWN_PENDING = 20;
const SHOWN_SIDE_BLOCKS = 60;
const GRAPH_BLOCKS = 14;

// --- The chain ---

export async function chain(status, before) {
  const [headers, blocks, side, waiting] = await Promise.all([
    api.headersDown(CHART_HEADERS),
    api.blocksDown(LISTED_BLOCKS),
    api.branches(SHOWN_SIDE_BLOCKS),
    api.pending(SHOWN_PENDING),
  ]);
  const picture = graph(headers.slice(0, GRAPH_BLOCKS), side);
  return [
    h("h1", "Chain ", h("span.quiet", status.chain)),
    h("section.grid", { "aria-label": "Figures" }, figures(status, headers)),
    picture && h("section.card", h("h2", "Side branches"), h("div.branches", { tabindex: 0 }, picture)),
    h(
      "div.columns",
      h("section.card", h("h2", "Blocks"), blockTable(blocks, { before }), older(blocks[blocks.length - 1])),
      h("div", h("section.card", h("h2", "Add a record"), mineForm()), pendingList(waiting, status.pending)),
    ),
  ];
}

function figures(status, headers) {
  const ascending = [...headers].reverse();
  const mined = ascending.filter((block) => block.height > 0);
  const intervals = mined.slice(1).map((block, at) => (block.timestamp - mined[at].timestamp) / 1000);
  const mean = intervals.reduce((sum, value) => sum + value, 0) / intervals.length;
  const times = mined.map((block) => Number(block.timestamp));
  const difficulties = mined.map((block) => block.difficulty);
  const rate = status.mining && status.mining.elapsed_ms > 0 ? (status.mining.hashes / status.mining.elapsed_ms) * 1000 : null;
  return [
    figure("Height", String(status.height), times.length > 1 ? line(counts(times), `growth over the last ${times.length} blocks`) : null, status.height === 0 ? "only genesis" : `last block ${ago(status.timestamp)}`),
    figure("Next difficulty", quantity(status.next_difficulty), line(difficulties, `difficulty of the last ${difficulties.length} blocks`)),
    figure(
      "Block interval",
      intervals.length > 0 ? span(mean) : "–",
      line(intervals, `seconds between the last ${mined.length} blocks`),
      intervals.length > 0 ? `mean of the last ${intervals.length}` : "after two blocks",
    ),
    figure("Mining", rate === null ? "idle" : `${quantity(rate)}H/s`, null, status.mining ? `block ${status.mining.height}` : "nothing is searched"),
    figure("Peers", String(status.peers), null, status.peers === 0 ? "alone" : "connected"),
    figure("Pending", String(status.pending), null, "transactions"),
  ];
}

const figure = (name, value, chart, range) =>
  h("div.card.figure", h("span.name", name), h("span.value", value), chart, range && h("span.range", range));

/** Blocks, with one record of each: the first one, or the first that `isShown`. Blocks above the height `before` are new. */
function blockTable(blocks, { before, isShown } = {}) {
  const rows = blocks.map((block) =>
    h(
      before !== undefined && block.height > before ? "tr.new" : "tr",
      h("td.number", h("a", { href: `#/block/${block.hash}` }, String(block.height))),
      h("td", blockLink(block.hash)),
      h("td.number", String(block.data.length)),
      h("td.wide", preview(isShown === undefined ? block.data : block.data.filter(isShown))),
      h("td", h("span.quiet", ago(block.timestamp))),
    ),
  );
  const head = h("tr", h("th.number", { scope: "col" }, "Height"), h("th", { scope: "col" }, "Hash"), h("th.number", { scope: "col" }, "Records"), h("th.wide", { scope: "col" }, isShown === undefined ? "First" : "Found"), h("th", { scope: "col" }, "Mined"));
  return h("table", h("thead", head), h("tbody", rows));
}

function preview(values) {
  if (values.length === 0) {
    return h("span.quiet", "–");
  }
  const text = typeof values[0] === "string" ? values[0] : JSON.stringify(values[0]);
  return text.length > 40 ? `${text.slice(0, 40)}…` : text;
}

const older = (last) =>
  last !== undefined && last.height > 0 && h("p", h("a", { href: `#/blocks/${last.height - 1}` }, "Older blocks"));

/** A page of older blocks, from a height down. */
export async function blocksFrom(height) {
  const blocks = await api.blocksDown(SHOWN_BLOCKS, height);
  return [
    h("h1", `Blocks up to ${height}`),
    h("section.card", blockTable(blocks), older(blocks[blocks.length - 1])),
  ];
}

function pendingList(waiting, count) {
  const items = waiting.map(({ id, data: value }) => h("li", transactionLink(id), data(value)));
  return h(
    "section.card",
    h("h2", `Pending (${count})`),
    items.length > 0 ? h("ul.list", items) : h("p.quiet", "Nothing waits to be mined."),
  );
}

/** The JSON of a text, or the text itself if it is meant as JSON and is. */
function asJson(text, isJson) {
  if (!isJson) {
    return JSON.stringify(text);
  }
  JSON.parse(text);
  return text;
}

function mineForm() {
  const text = h("input", { id: "record", name: "record", required: true, autocomplete: "off" });
  const isJson = h("input", { type: "checkbox", id: "json" });
  const answer = h("p.answer", { role: "status" });
  const run = (button, work) => working(button, answer, work);
  const form = h(
    "form.stack",
    h("div", h("label", { for: "record" }, "Record"), text),
    h("div.row", isJson, h("label", { for: "json" }, "it is JSON")),
  );
  const mine = h("button", { type: "submit" }, "Mine a block with it");
  const send = h("button.plain", { type: "button" }, "Send it to be mined later");
  form.append(h("div.row", mine, send), answer);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    run(mine, async () => {
      const block = await api.mine(asJson(text.value, isJson.checked));
      text.value = "";
      return ["Mined block ", blockLink(block.hash, String(block.height)), "."];
    });
  });
  send.addEventListener("click", () => {
    if (form.reportValidity()) {
      run(send, async () => {
        const { id } = await api.submit(asJson(text.value, isJson.checked));
        text.value = "";
        return ["Sent as ", transactionLink(id), "."];
      });
    }
  });
  return form;
}

/** Runs an action of a button, and shows what came of it. */
async function working(button, answer, work) {
  const hadFocus = document.activeElement === button;
  button.disabled = true;
  answer.className = "answer quiet";
  answer.replaceChildren("Working …");
  try {
    answer.replaceChildren(...(await work()));
    answer.className = "answer good";
  } catch (error) {
    answer.replaceChildren(error.message);
    answer.className = "answer alarm";
  } finally {
    button.disabled = false;
    // Disabled it has lost the focus, without which the next look at the node would replace the answer.
    if (hadFocus && document.activeElement === document.body) {
      button.focus();
    }
  }
}

// --- A block ---

export async function block(id) {
  const shown = await api.block(id);
  // A block on a side branch has no next one here: the best chain goes on from another block.
  const isBest = await api.headerAt(shown.height).then((best) => best.hash === shown.hash, () => false);
  const asked = /^[0-9a-f]{64}$/.test(id) ? id : undefined;
  const transactions = shown.data.map((value, at) =>
    h("li", shown.transaction_ids[at] === undefined ? null : transactionLink(shown.transaction_ids[at]), data(value)),
  );
  return [
    h("h1", `Block ${shown.height}`),
    h(
      "section.card",
      facts(
        ["Hash", h("span.hash", shown.hash)],
        ["Chain", isBest ? null : h("span.warn", "on a side branch")],
        ["Parent", shown.height === 0 ? "none" : blockLink(shown.previous_hash, shown.previous_hash)],
        ["Mined", time(Number(shown.timestamp))],
        ["Difficulty", quantity(shown.difficulty)],
        ["Target", h("span.hash", shown.target)],
        ["Nonce", String(shown.nonce)],
        ["Miner", /^0+$/.test(shown.miner) ? null : h("span.hash", shown.miner)],
        ["Merkle root", h("span.hash", shown.merkle_root)],
        ["History root", h("span.hash", shown.history_root)],
        ["State root", /^0+$/.test(shown.state_root) ? null : h("span.hash", shown.state_root)],
      ),
      h("p.row", h("a", { href: `#/block/${shown.previous_hash}`, hidden: shown.height === 0 }, "Previous"), isBest && h("a", { href: `#/block/${shown.height + 1}` }, "Next")),
    ),
    h("section.card", h("h2", "Checked in this browser"), await checks(shown, asked)),
    h("section.card", h("h2", `Records (${shown.data.length})`), transactions.length > 0 ? h("ol.list", transactions) : h("p.quiet", "This block has none.")),
  ];
}

async function checks(shown, asked) {
  if (crypto.subtle === undefined) {
    return h("p.warn", "This browser lets pages hash only over HTTPS or on localhost, so nothing was checked.");
  }
  const results = await verifyBlock(shown, asked);
  return h(
    "ul.list",
    { id: "checks" },
    results.map(({ name, holds, detail }) => {
      const [kind, word] = holds === null ? ["span.warn", "not checked"] : holds ? ["span.good", "holds"] : ["span.alarm", "DOES NOT HOLD"];
      return h("li", h("strong", `${name}: `), h(kind, word), h("div.quiet.hash", detail));
    }),
  );
}

// --- A search ---

/** The last blocks with a record that contains a text, and the pending transactions. */
export async function search(text) {
  const contains = (value) => JSON.stringify(value).toLowerCase().includes(text);
  const waiting = (await api.pending(SEARCH_STEP)).filter(({ data: value }) => contains(value));
  const found = [];
  let searched = 0;
  let next;
  do {
    const blocks = await api.blocksDown(SEARCH_STEP, next);
    if (blocks.length === 0) {
      break;
    }
    searched += blocks.length;
    next = blocks[blocks.length - 1].height - 1;
    found.push(...blocks.filter((shown) => shown.data.some(contains)));
  } while (next >= 0 && searched < SEARCHED_BLOCKS);
  return [
    h("h1", `Search for “${text}”`),
    h("section.card", h("h2", `Blocks (${found.length})`), found.length > 0 ? blockTable(found, { isShown: contains }) : h("p.quiet", "None."), h("p.quiet", `Searched: the last ${searched} blocks.`)),
    waiting.length > 0 && pendingList(waiting, waiting.length),
  ];
}

// --- A transaction ---

export async function transaction(id) {
  const found = await api.transaction(id);
  const what = {
    pending: () => [["Status", "pending: it waits to be mined"]],
    dropped: () => [["Status", h("span.warn", `dropped: ${found.reason}`)]],
    mined: () => [
      ["Status", h("span.good", `in block ${found.height}, ${found.depth} deep`)],
      ["Block", blockLink(found.block, found.block)],
      ["Place", `${found.index + 1} in the block`],
    ],
  }[found.status]();
  return [
    h("h1", "Transaction"),
    h("section.card", facts(["Id", h("span.hash", id)], ...what)),
    found.data !== undefined && found.data !== null && h("section.card", h("h2", "Content"), data(found.data)),
    found.status === "mined" && h("section.card", h("h2", "Proof"), receiptForm(id)),
  ];
}

// --- Receipts ---

export function receipt() {
  return [
    h("h1", "Check a receipt"),
    h("p", "A receipt proves that a record is in a signed log. It is checked here, in this browser, against a key that you trust, and without asking the node."),
    h("section.card", receiptForm(null)),
  ];
}

function receiptForm(id) {
  const text = h("textarea", { id: "receipt", spellcheck: "false", required: true });
  const key = h("input", { id: "key", autocomplete: "off", spellcheck: "false", required: true, placeholder: "name+key id+base64" });
  const answer = h("div.answer", { role: "status", id: "verdict" });
  const check = h("button", { type: "submit" }, "Check it");
  const form = h(
    "form.stack",
    h("div", h("label", { for: "receipt" }, "Receipt, the text of a .tlog-proof file"), text),
    h("div", h("label", { for: "key" }, "Public key of the log"), key),
  );
  const buttons = h("div.row", check);
  if (id !== null) {
    const get = h("button.plain", { type: "button" }, "Get it from this node");
    get.addEventListener("click", () =>
      working(get, answer, async () => {
        text.value = await api.receipt(id);
        return ["Here it is."];
      }),
    );
    buttons.append(get);
  }
  form.append(buttons, answer);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    working(check, answer, async () => [await verdict(text.value, key.value.trim())]);
  });
  return form;
}

async function verdict(text, key) {
  try {
    const policy = { keys: [await parseKey(key)], origin: undefined, witnesses: [], minWitnesses: 0, easiestTarget: null, minBlocksOnTop: 0n };
    const proven = await verifyReceipt(new TextEncoder().encode(text.replace(/\r\n/g, "\n")), policy);
    return h(
      "div",
      h("p.good", "Proven: the record is in the log."),
      facts(
        ["Transaction", h("span.hash", toHex(proven.id))],
        ["Block", h("span.hash", toHex(proven.block))],
        ["Height", String(proven.height)],
        ["Log", `${proven.checkpoint.origin}, ${proven.checkpoint.size} blocks`],
        ["Mined", `${new Date(Number(proven.timestamp)).toISOString()}, by its miner`],
      ),
    );
  } catch (error) {
    if (error instanceof Refused) {
      throw new Error(`Refused at the step ${error.step}: ${error.message}`);
    }
    if (error.name === "NotSupportedError") {
      throw new Error("This browser has no Ed25519 in Web Crypto.");
    }
    throw error;
  }
}

// --- The node ---

export async function node(status, refresh) {
  const [peers, bans] = await Promise.all([api.peers(), api.bans()]);
  return [
    h("h1", "Node"),
    h(
      "section.card",
      h("h2", "State"),
      facts(
        ["Chain", status.chain],
        ["Genesis", h("span.hash", status.genesis)],
        ["Tip", blockLink(status.tip, status.tip)],
        ["Work", `${BigInt(`0x${status.work}`)} hashes`],
        ["Peers at", status.listen],
        ["Bodies from", status.first_body > 0 ? `height ${status.first_body} on; older ones are pruned` : null],
        ["Signs", status.signing ? `${status.signing.origin}, ${status.signing.size ?? 0} blocks${status.signing.stopped ? `: ${status.signing.stopped}` : ""}` : null],
      ),
    ),
    h("section.card", h("h2", `Peers (${peers.length})`), peerTable(peers, refresh), connectForm(refresh)),
    h("section.card", h("h2", `Bans (${bans.length})`), banList(bans, refresh), banForm(refresh)),
    h("section.card", h("h2", "Access"), tokenForm()),
  ];
}

function peerTable(peers, refresh) {
  if (peers.length === 0) {
    return h("p.quiet", "No peer is connected.");
  }
  const rows = peers.map((peer) => {
    const answer = h("span.answer", { role: "status" });
    const close = h("button.plain", { type: "button", "aria-label": `Disconnect ${peer.address}` }, "Disconnect");
    close.addEventListener("click", () =>
      working(close, answer, async () => {
        await api.disconnect(peer.id);
        refresh();
        return ["Disconnected."];
      }),
    );
    return h("tr", h("td", h("span.hash", peer.address)), h("td.wide", peer.direction), h("td.wide", peer.agent), h("td.number", String(peer.height ?? "–")), h("td", close, answer));
  });
  const head = h("tr", h("th", { scope: "col" }, "Address"), ["Direction", "Program"].map((name) => h("th.wide", { scope: "col" }, name)), h("th.number", { scope: "col" }, "Height"), h("th", { scope: "col" }, h("span.hidden", "Actions")));
  return h("table", h("thead", head), h("tbody", rows));
}

function field(id, label, attributes) {
  const input = h("input", { id, required: true, autocomplete: "off", spellcheck: "false", ...attributes });
  return [input, h("div", h("label", { for: id }, label), input)];
}

function oneButtonForm(fields, name, work) {
  const answer = h("p.answer", { role: "status" });
  const button = h("button", { type: "submit" }, name);
  const form = h("form.stack", fields, h("div.row", button), answer);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    working(button, answer, work);
  });
  return form;
}

function connectForm(refresh) {
  const [address, row] = field("address", "Connect to", { placeholder: "ws://host:5001" });
  return oneButtonForm([row], "Connect", async () => {
    await api.connect(address.value.trim());
    address.value = "";
    setTimeout(refresh, 500);
    return ["Dialling."];
  });
}

function banForm(refresh) {
  const [host, first] = field("host", "Ban a host", { placeholder: "10.0.0.1" });
  const [minutes, second] = field("minutes", "for so many minutes", { type: "number", min: 1, value: 60 });
  return oneButtonForm([first, second], "Ban", async () => {
    await api.ban(host.value.trim(), Math.round(Number(minutes.value) * 60));
    refresh();
    return ["Banned."];
  });
}

function banList(bans, refresh) {
  if (bans.length === 0) {
    return h("p.quiet", "No host is banned.");
  }
  const items = bans.map((ban) => {
    const answer = h("span.answer", { role: "status" });
    const lift = h("button.plain", { type: "button", "aria-label": `Lift the ban of ${ban.host}` }, "Lift");
    lift.addEventListener("click", () =>
      working(lift, answer, async () => {
        await api.unban(ban.host);
        refresh();
        return ["Lifted."];
      }),
    );
    return h("li.row", h("span.hash", ban.host), h("span.quiet", `for ${span(ban.seconds)} more`), lift, answer);
  });
  return h("ul.list", items);
}

function tokenForm() {
  const input = h("input", { id: "token", type: "password", autocomplete: "off", value: sessionStorage.getItem("token") ?? "" });
  const row = h("div", h("label", { for: "token" }, "Token, if the node asks for one before it changes something; kept until this tab is closed"), input);
  return oneButtonForm([row], "Use it", async () => {
    sessionStorage.setItem("token", input.value);
    return [input.value === "" ? "No token is sent." : "It is sent with every request."];
  });
}

