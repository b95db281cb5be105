// Builds elements. Every text becomes a text node, so that what comes from the chain is never markup.

/**
 * @param {string} name such as `p` or `p.quiet`
 * @param {...(Node|string|number|null|undefined|object)} parts children, and objects with attributes and listeners
 */
export function h(name, ...parts) {
  const [tag, ...classes] = name.split(".");
  return fill(document.createElement(tag), classes, parts);
}

/** An element of SVG. */
export function svg(name, ...parts) {
  const [tag, ...classes] = name.split(".");
  return fill(document.createElementNS("http://www.w3.org/2000/svg", tag), classes, parts);
}

function fill(element, classes, parts) {
  if (classes.length > 0) {
    element.setAttribute("class", classes.join(" "));
  }
  for (const part of parts.flat()) {
    if (part === null || part === undefined || part === false) {
      continue;
    }
    if (part instanceof Node || typeof part !== "object") {
      element.append(part instanceof Node ? part : String(part));
      continue;
    }
    for (const [key, value] of Object.entries(part)) {
      if (key.startsWith("on")) {
        element.addEventListener(key.slice(2), value);
      } else if (value === true) {
        element.setAttribute(key, "");
      } else if (value !== false && value !== null && value !== undefined) {
        element.setAttribute(key, value);
      }
    }
  }
  return element;
}

/** A definition list of pairs; pairs without a value are left out. */
export function facts(...pairs) {
  const shown = pairs.filter(([, value]) => value !== null && value !== undefined);
  return h("dl", shown.flatMap(([name, value]) => [h("dt", name), h("dd", value)]));
}

/** A hash, shortened in the middle where there is little room. */
export const short = (hash) => `${hash.slice(0, 8)}…${hash.slice(-6)}`;

export const blockLink = (hash, text = short(hash)) => h("a.hash", { href: `#/block/${hash}`, title: hash }, text);

export const transactionLink = (id, text = short(id)) =>
  h("a.hash", { href: `#/transaction/${id}`, title: id }, text);

const LONG = 400;

/** A transaction as text: a string as it is, any other value as JSON; a long one folded. */
export function data(value) {
  const text = typeof value === "string" ? value : JSON.stringify(value, null, 2);
  if (text.length <= LONG) {
    return h("pre", text);
  }
  return h("details", h("summary", `${text.slice(0, 60)}… (${text.length} characters)`), h("pre", text));
}

/** A time, and how long ago it was. */
export function time(millis) {
  const date = new Date(millis);
  return h("time", { datetime: date.toISOString(), title: date.toISOString() }, `${date.toLocaleString()} (${ago(millis)})`);
}

export function ago(millis) {
  const seconds = Math.round((Date.now() - millis) / 1000);
  return seconds < 0 ? `in ${span(-seconds)}` : `${span(seconds)} ago`;
}

/** Seconds in the largest unit that fits. */
export function span(seconds) {
  if (seconds > 0 && seconds < 1) {
    return `${Math.round(seconds * 1000)} ms`;
  }
  const units = [[86400, "d"], [3600, "h"], [60, "min"]];
  const [size, unit] = units.find(([size]) => seconds >= 2 * size) ?? [1, "s"];
  const value = seconds / size;
  return `${value < 10 && size === 1 && !Number.isInteger(value) ? value.toFixed(1) : Math.round(value)} ${unit}`;
}

/** A number with three significant digits and a prefix of the SI. */
export function quantity(value) {
  const prefixes = ["", "k", "M", "G", "T", "P"];
  const step = Math.min(prefixes.length - 1, Math.max(0, Math.floor(Math.log10(Math.max(1, value)) / 3)));
  const scaled = value / 1000 ** step;
  return `${scaled >= 100 || Number.isInteger(scaled) ? Math.round(scaled) : scaled.toPrecision(3)}${prefixes[step] && ` ${prefixes[step]}`}`;
}
