// The explorer in a browser, with nodes that run as processes: `HASHLOOM_NODE` is the example node, `CHROMIUM` the browser.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { chromium } from "playwright-core";
import { Application, Node, until } from "./node.mjs";

const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf-8");

let browser;
const nodes = [];

before(async () => {
  // Without a sandbox of its own, because tests may run as root in a container.
  browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: ["--no-sandbox"] });
});

after(async () => {
  await browser?.close();
  await Promise.all(nodes.map((node) => node.stop()));
});

async function started(variables) {
  const node = await Node.new(variables);
  nodes.push(await node.start());
  return node;
}

/** Opens a page, and fails on what the browser refuses or does not understand. */
async function open(node, place = "", options = {}) {
  const page = await (await browser.newContext(options)).newPage();
  page.faults = [];
  page.on("pageerror", (error) => page.faults.push(error.message));
  page.on("console", (message) => {
    const expected = /Failed to load resource|net::ERR_/.test(message.text());
    if (message.type() === "error" && !expected) {
      page.faults.push(message.text());
    }
  });
  await page.goto(`${node.url}/${place}`);
  await page.waitForSelector("main h1");
  return page;
}

const heading = (page) => page.textContent("main h1");

test("a block that is mined by a click appears in a second window", async () => {
  const node = await started();
  const [first, second] = [await open(node), await open(node)];
  await first.fill("#record", "hello from a browser");
  await first.click("text=Mine a block with it");
  await first.waitForSelector("text=Mined block");
  // Sooner than the page asks by itself.
  await second.waitForSelector("td:has-text('hello from a browser')", { timeout: 5_000 });
  assert.match(await second.textContent("#state"), /^Up to date at height 1\.$/);

  // The window in which it was mined follows when the form is left.
  await first.focus("#query");
  await first.waitForSelector("td:has-text('hello from a browser')");

  await first.fill("#record", '{"not": "a text"}');
  await first.check("#json");
  await first.click("text=Mine a block with it");
  await first.waitForSelector(".answer.alarm");
  assert.match(await first.textContent(".answer.alarm"), /data/);
  assert.equal((await node.get("/status")).height, 1);
  assert.deepEqual([first.faults, second.faults], [[], []]);
});

test("markup in a record is text", async () => {
  const node = await started();
  const hostile = "<img src=x onerror='document.title=\"owned\"'><script>document.title='owned'</script>";
  const block = await node.mine(hostile);
  for (const place of ["", "#/block/1", `#/transaction/${block.transaction_ids[0]}`]) {
    const page = await open(node, place);
    await page.waitForFunction((text) => document.body.textContent.includes(text), "<img src=x onerror");
    assert.equal(await page.locator("main img, main script").count(), 0, place);
    assert.doesNotMatch(await page.title(), /owned/);
    assert.deepEqual(page.faults, [], place);
  }
});

test("a block is checked, and a tampered one is not accepted", async () => {
  const node = await started();
  await node.mine("the truth");
  const page = await open(node, "#/block/1");
  assert.equal(await page.locator("#checks .good").count(), 4);
  assert.equal(await page.locator("#checks .alarm").count(), 0);
  for (const [from, to, check] of [
    ["the truth", "a lie", "Transactions"],
    ['"nonce":', '"nonce":1', "Hash"],
  ]) {
    const tampered = await open(node);
    await tampered.route("**/blocks/1", async (route) => {
      const body = (await (await route.fetch()).text()).replace(from, to);
      await route.fulfill({ contentType: "application/json", body });
    });
    await tampered.goto(`${node.url}/#/block/1`);
    await tampered.waitForSelector("#checks");
    const failed = await tampered.locator("#checks li:has(.alarm)").allTextContents();
    assert.ok(failed.some((text) => text.startsWith(check)), `${check}: ${failed}`);
  }
});

test("the search finds a height, a block and a transaction", async () => {
  const node = await started();
  const block = await node.mine("findable");
  const page = await open(node);
  for (const [query, title, text] of [
    ["1", "Block 1", "findable"],
    [block.hash, "Block 1", block.merkle_root],
    [block.transaction_ids[0], "Transaction", "in block 1, 1 deep"],
    ["99", "Not found", "no block 99"],
    ["ab".repeat(32), "Not found", "is not pending"],
    ["FIND", "Search for “find”", "findable"],
    ["100%", "Search for “100%”", "Searched: the last 2 blocks."],
  ]) {
    await page.fill("#query", query);
    await page.press("#query", "Enter");
    await page.waitForFunction(
      ([title, text]) => document.querySelector("h1")?.textContent === title && document.querySelector("main").textContent.includes(text),
      [title, text],
    );
  }
  assert.deepEqual(page.faults, []);
  const odd = await open(node, "#/block/100%");
  await odd.waitForSelector("#state.good");
  assert.equal(await heading(odd), "This cannot be shown");
  assert.deepEqual(odd.faults, []);
});

test("a fork is shown, and how it ends", async () => {
  const first = await started();
  const second = await started();
  await first.mine("one, on the first");
  await second.mine("one, on the second");
  await second.mine("two, on the second");
  const page = await open(first);
  await page.waitForSelector("td:has-text('one, on the first')");
  await page.goto(`${first.url}/#/node`);
  await page.fill("#address", `ws://127.0.0.1:${second.p2p}`);
  await page.click("button:text-is('Connect')");
  await page.waitForSelector("td:has-text('outbound')");
  await page.goto(`${first.url}/#/`);
  await page.waitForSelector("td:has-text('two, on the second')");
  await page.waitForSelector("circle.side");
  assert.equal(await page.locator("circle.side").count(), 1);
  assert.equal(await page.locator("td:has-text('one, on the first')").count(), 0);
  assert.deepEqual(page.faults, []);
});

test("a restart of the node is survived", async () => {
  const node = await started();
  await node.mine("before");
  const page = await open(node);
  await page.waitForSelector("#state.good");
  await node.stop();
  await page.waitForSelector("#state.bad");
  assert.match(await page.textContent("#state"), /cannot be reached/);
  await node.start();
  await page.waitForSelector("#state.good");
  await until(async () => (await page.textContent("#state")) === "Up to date at height 0.", "the chain of the new node");
});

test("a node with a token is changed only with it", async () => {
  const node = await started({ HTTP_TOKEN: "0123456789abcdef" });
  const page = await open(node);
  await page.fill("#record", "not yet");
  await page.click("text=Mine a block with it");
  await page.waitForSelector(".answer.alarm");
  assert.match(await page.textContent(".answer.alarm"), /needs the token of the node/);
  await page.goto(`${node.url}/#/node`);
  await page.fill("#token", "0123456789abcdef");
  await page.click("text=Use it");
  await page.goto(`${node.url}/#/`);
  await page.fill("#record", "now");
  await page.click("text=Mine a block with it");
  await page.waitForSelector("text=Mined block");
  assert.deepEqual((await node.get("/blocks/1")).data, ["now"]);
  assert.deepEqual(page.faults, []);
});

test("everything works under the prefix of another application", async () => {
  const application = await Application.new();
  nodes.push(await application.start());
  const page = await open(application);
  await page.fill("#record", "under a prefix");
  await page.click("text=Mine a block with it");
  await page.waitForSelector("text=Mined block");
  await page.click("text=Mined block >> a");
  await page.waitForFunction(() => document.querySelector("h1")?.textContent === "Block 1");
  assert.equal(await page.locator("#checks .good").count(), 4);

  // The references of the answers, resolved by the page, which a browser does as RFC 3986 asks for.
  const followed = await page.evaluate(async () => {
    const mined = await fetch("mine", { method: "POST" });
    const location = new URL(mined.headers.get("location"), mined.url);
    const places = [[location.pathname.replace(/[0-9a-f]{64}$/, "HASH"), (await (await fetch(location)).json()).height]];
    let next = "blocks?limit=1&order=desc";
    while (next !== undefined) {
      const answer = await fetch(next);
      const link = answer.headers.get("link")?.match(/^<([^>]*)>; rel="next"$/);
      places.push([new URL(answer.url).pathname, (await answer.json())[0].height]);
      next = link === undefined || link === null ? undefined : new URL(link[1], answer.url).href;
    }
    return places;
  });
  assert.deepEqual(followed, [["/chain/blocks/HASH", 2], ["/chain/blocks", 2], ["/chain/blocks", 1], ["/chain/blocks", 0]]);
  const root = await fetch(new URL("/", application.url));
  assert.equal(await root.text(), "2 blocks at /chain/\n");
  assert.deepEqual(page.faults, []);
});

test("a page of another origin reads a node only if it is listed", async () => {
  const [page, other] = [await started(), await started()];
  const listing = await started({ ALLOW_ORIGIN: page.url });
  const foreign = await (await browser.newContext({ bypassCSP: true })).newPage();
  await foreign.goto(page.url);
  const ask = (url) =>
    foreign.evaluate(async (url) => {
      try {
        const mined = await fetch(`${url}/mine`, {
          method: "POST",
          headers: { "content-type": "application/json", authorization: "Bearer none" },
          body: JSON.stringify({ data: ["from elsewhere"] }),
        });
        const blocks = await fetch(`${url}/blocks`);
        return [mined.status, mined.headers.get("location") !== null, blocks.headers.get("x-total-count")];
      } catch (error) {
        return error.name;
      }
    }, url);
  assert.deepEqual(await ask(listing.url), [201, true, "2"]);
  assert.equal(await ask(other.url), "TypeError");
  assert.equal((await other.get("/status")).height, 0);
});

test("a receipt from the node is checked against a key", async () => {
  const folder = mkdtempSync(join(tmpdir(), "hashloom-browser-"));
  const key = join(folder, "log.key");
  const program = process.env.HASHLOOM_NODE ?? new URL("../../target/debug/examples/node", import.meta.url).pathname;
  const made = spawnSync(program, ["keygen", key, "--name", "log.example/browser"], { encoding: "utf-8" });
  assert.equal(made.status, 0, made.stderr);
  const node = await started({ EPHEMERAL: "", DATA_DIR: join(folder, "data"), LOG_KEY: key, LOG_DEPTH: "1" });
  const block = await node.mine("evidence");
  await node.mine("on top");
  const page = await open(node, `#/transaction/${block.transaction_ids[0]}`);
  await page.click("text=Get it from this node");
  await page.waitForSelector("text=Here it is.");
  await page.fill("#key", made.stdout.trim());
  await page.click("text=Check it");
  await page.waitForSelector("text=Proven: the record is in the log.");
  const receipt = await page.inputValue("#receipt");
  await page.fill("#receipt", receipt.replace("index 1", "index 0"));
  await page.click("text=Check it");
  await page.waitForSelector(".answer.alarm");
  assert.match(await page.textContent(".answer.alarm"), /^Refused at the step/);
  assert.deepEqual(page.faults, []);
});

/** How long the chain of the next test is; `docs/figures/http.md` has what it prints for a long one. */
const LONG_CHAIN = Number(process.env.HASHLOOM_LONG_CHAIN ?? 200);

test("a long chain is shown from its end to its begin", async () => {
  const data = join(mkdtempSync(join(tmpdir(), "hashloom-browser-")), "data");
  const node = await started({ EPHEMERAL: "", DATA_DIR: data });
  const figures = [];
  const timed = async (what, work) => {
    const begin = performance.now();
    const result = await work();
    figures.push(`| ${what} | ${Math.round(performance.now() - begin)} ms |`);
    return result;
  };
  let mined = 0;
  const mine = async () => {
    while (mined < LONG_CHAIN) {
      mined += 1;
      await node.mine(`record ${mined}`);
    }
  };
  // As many as a node mines for at a time.
  await Promise.all(Array.from({ length: 8 }, mine));
  await node.stop();
  await timed("start", () => node.start());
  const memory = readFileSync(`/proc/${node.process.pid}/status`, "utf-8").match(/VmRSS:\s*(\d+) kB/)[1];
  figures.push(`| memory after the start | ${Math.round(memory / 1024)} MiB |`);

  const page = await timed("the page is opened", () => open(node));
  await page.waitForSelector(`#state:has-text('Up to date at height ${LONG_CHAIN}.')`);
  await timed("height 1 is searched", async () => {
    await page.fill("#query", "1");
    await page.press("#query", "Enter");
    await page.waitForSelector("main h1:has-text('Block 1')");
  });
  assert.match(await page.textContent("main"), /record \d+/);
  await page.goto(`${node.url}/#/blocks/${LONG_CHAIN / 2}`);
  await page.waitForSelector(`main h1:has-text('Blocks up to ${LONG_CHAIN / 2}')`);
  await timed("a page of older blocks", async () => {
    await page.click("text=Older blocks");
    await page.waitForSelector(`main h1:has-text('Blocks up to ${LONG_CHAIN / 2 - 40}')`);
  });
  assert.equal(await page.locator("tbody tr").count(), 40);
  await timed("a text is searched in the last 500 blocks", async () => {
    await page.fill("#query", `record ${LONG_CHAIN}`);
    await page.press("#query", "Enter");
    await page.waitForSelector("main h2:has-text('Blocks (1)')");
  });
  for (const path of ["/branches", "/blocks?limit=1000", "/headers?from=1&limit=1000", "/status"]) {
    const answer = await timed(`\`GET ${path}\``, () => node.get(path));
    assert.equal(answer.error, undefined);
  }
  assert.deepEqual(page.faults, []);
  if (process.env.HASHLOOM_LONG_CHAIN !== undefined) {
    console.log(figures.join("\n"));
  }
});

test("the page works with the keyboard alone", async () => {
  const node = await started();
  const page = await open(node);
  await page.keyboard.press("Tab");
  assert.equal(await page.evaluate(() => document.activeElement.textContent), "Skip to the content");
  await page.focus("#record");
  await page.keyboard.type("typed");
  await page.keyboard.press("Enter");
  await page.waitForSelector("text=Mined block");
  await page.goto(`${node.url}/#/block/1`);
  await page.waitForFunction(() => document.activeElement.id === "main");
  assert.equal(await heading(page), "Block 1");
});

test("nothing keeps people out", async () => {
  const node = await started();
  for (let count = 0; count < 3; count += 1) {
    await node.mine(`record ${count} ${"x".repeat(500)}`);
  }
  for (const options of [
    { colorScheme: "light", viewport: { width: 1200, height: 900 } },
    { colorScheme: "dark", viewport: { width: 1200, height: 900 } },
    { colorScheme: "light", viewport: { width: 360, height: 740 } },
  ]) {
    for (const place of ["", "#/block/1", "#/receipt", "#/node"]) {
      const page = await open(node, place, options);
      await page.evaluate(AXE);
      const { violations } = await page.evaluate(() => globalThis.axe.run());
      const found = violations.map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.html).join(" ")}`);
      assert.deepEqual(found, [], `${place} ${JSON.stringify(options)}`);
      const isWide = await page.evaluate(() => document.documentElement.scrollWidth > innerWidth);
      assert.ok(!isWide, `${place} scrolls sideways at ${options.viewport.width}`);
      // A node serves a limited number of connections from one address.
      await page.context().close();
    }
  }
});
