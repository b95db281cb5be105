// The page: which view the address asks for, and what changes while it is open.

import * as api from "./api.mjs";
import { h } from "./dom.mjs";
import * as views from "./views.mjs";

/** How often the node is asked for its state, in milliseconds: while it tells what happens, and while it does not. */
const CALM = 10_000;
const INTERVAL = 1_000;
/** The shortest time between two questions, so that a synchronisation does not keep the page busy. */
const PAUSE = 200;
/** How long the page waits before it asks again a node that does not answer. */
const RETRY = 3_000;

const main = document.querySelector("#main");
const state = document.querySelector("#state");

/** What the node tells as it happens; `null` while the page cannot be seen, because a browser opens few connections to a node. */
let events = null;
/** Ends the wait for news. */
let wake = () => {};
/** Whether something has happened since the last question. */
let isNews = false;

/** The last status of the node; `null` before the first answer. */
let status = null;
/** The status that the view shows. */
let shown = null;
/** Counts the changes of the address, so that an answer that comes too late shows nothing. */
let turn = 0;

/** A part of the address; as it is, if it is not encoded as it must be. */
function decoded(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

function place() {
  const [name = "", argument = ""] = location.hash.replace(/^#\/?/, "").split("/").map(decoded);
  return { name, argument };
}

function view({ name, argument }, before) {
  switch (name) {
    case "":
      return views.chain(status, before);
    case "blocks":
      return views.blocksFrom(Number(argument));
    case "block":
      return views.block(argument);
    case "transaction":
      return views.transaction(argument);
    case "receipt":
      return views.receipt();
    case "search":
      return views.search(argument);
    case "node":
      return views.node(status, () => show());
    default:
      throw new Error("There is no such page.");
  }
}

/** Shows what the address asks for. */
async function show(before) {
  const mine = (turn += 1);
  const where = place();
  let parts;
  try {
    status ??= await api.status();
    parts = await view(where, before);
  } catch (error) {
    parts = [h("h1", error.status === 404 ? "Not found" : "This cannot be shown"), h("p", error.message)];
  }
  if (mine !== turn) {
    return;
  }
  const restore = before === undefined ? () => {} : kept();
  main.replaceChildren(...parts.filter(Boolean));
  restore();
  shown = status;
  document.title = `${main.querySelector("h1")?.textContent ?? "hashloom"} · hashloom`;
  document.querySelectorAll("nav a").forEach((link) => {
    const isHere = link.getAttribute("href") === `#/${where.name}`;
    isHere ? link.setAttribute("aria-current", "page") : link.removeAttribute("aria-current");
  });
}

/** Notes what is open and which link has the focus, and returns a function that restores both in the new view. */
function kept() {
  const titles = new Set([...main.querySelectorAll("details[open] > summary")].map((summary) => summary.textContent));
  const focus = main.contains(document.activeElement) ? document.activeElement.getAttribute("href") : null;
  return () => {
    main.querySelectorAll("details > summary").forEach((summary) => (summary.parentElement.open ||= titles.has(summary.textContent)));
    if (focus !== null) {
      [...main.querySelectorAll("a")].find((link) => link.getAttribute("href") === focus)?.focus({ preventScroll: true });
    }
  };
}

/** The state of the node in one line: the worst that is known. */
function describe(now) {
  if (now.store_error !== null || now.halted) {
    return ["bad", `${now.halted ? "Halted: " : ""}the store fails: ${now.store_error}`];
  }
  if (now.clock_behind !== null) {
    return ["bad", "The clock of this node is behind the chain."];
  }
  if (now.refused_branch !== null) {
    return ["bad", `Peers have a branch with more work that this node refuses: ${now.refused_branch.error}`];
  }
  if (now.header_height > now.height) {
    return ["warn", `Behind: block ${now.height} of ${now.header_height}.`];
  }
  if (now.mining_error !== null) {
    return ["warn", `Mining fails: ${now.mining_error}`];
  }
  return ["good", `Up to date at height ${now.height}.`];
}

function tell(kind, text) {
  state.className = kind;
  // A live region speaks only if its text changes.
  if (state.textContent !== text) {
    state.textContent = text;
  }
}

// A button that works is disabled, and has no focus.
const isBusy = () =>
  main.querySelector("button:disabled") !== null ||
  (main.contains(document.activeElement) && /^(BUTTON|INPUT|SUMMARY|TEXTAREA)$/.test(document.activeElement.tagName));

/** Whether the view shows what the status tells. */
function concerns(before, now) {
  const { name } = place();
  const changed = before.tip !== now.tip || before.pending !== now.pending || before.peers !== now.peers;
  const isMining = (now.mining ?? before.mining) !== null;
  return (name === "" && (changed || isMining)) || (name === "node" && before.peers !== now.peers);
}

/** Listens to the node while the page can be seen. */
function listen() {
  if (document.hidden) {
    events?.close();
    events = null;
  } else if (events === null || events.readyState === EventSource.CLOSED) {
    events?.close();
    events = new EventSource("events");
    events.onmessage = () => {
      isNews = true;
      wake();
    };
  }
}

/** Waits for a time, or until the node tells that something has happened. */
async function news(wait) {
  await new Promise((resolve) => setTimeout(resolve, Math.min(PAUSE, wait)));
  if (!isNews && wait > PAUSE) {
    await new Promise((resolve) => {
      wake = resolve;
      setTimeout(resolve, wait - PAUSE);
    });
  }
  isNews = false;
}

async function follow() {
  const isTold = events?.readyState === EventSource.OPEN;
  // The hash rate is no event.
  let wait = isTold && status?.mining === null ? CALM : INTERVAL;
  try {
    status = await api.status();
    tell(...describe(status));
    document.querySelector("#identity").textContent = `${status.chain} · genesis ${status.genesis}`;
    // What somebody fills in or is about to open stays as it is, until the focus is elsewhere.
    if (shown !== null && concerns(shown, status)) {
      isBusy() ? (wait = INTERVAL) : await show(shown.height);
    }
  } catch (error) {
    tell("bad", error instanceof api.ApiError ? `The node answers: ${error.message}` : "The node cannot be reached. Trying again.");
    wait = RETRY;
  }
  await news(document.hidden ? Math.max(CALM, wait) : wait);
  listen();
  follow();
}

document.querySelector("#search").addEventListener("submit", async (event) => {
  event.preventDefault();
  const query = document.querySelector("#query").value.trim().toLowerCase();
  if (query === "") {
    return;
  }
  if (/^[0-9]{1,20}$/.test(query)) {
    location.hash = `#/block/${query}`;
    return;
  }
  if (!/^[0-9a-f]{64}$/.test(query)) {
    location.hash = `#/search/${encodeURIComponent(query)}`;
    return;
  }
  // A block and a transaction have names of one form.
  const isBlock = await api.block(query).then(() => true, () => false);
  location.hash = `#/${isBlock ? "block" : "transaction"}/${encodeURIComponent(query)}`;
});

window.addEventListener("hashchange", async () => {
  await show();
  main.focus();
});

document.addEventListener("visibilitychange", () => {
  listen();
  wake();
});

listen();
await show();
follow();
