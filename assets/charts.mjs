// Small charts, and the graph of the last blocks with their side branches.

import { svg } from "./dom.mjs";

const WIDTH = 200;
const HEIGHT = 44;

/** The points of a line through values, from the left to the right; the largest value at the top. */
export function points(values, width = WIDTH, height = HEIGHT, margin = 3) {
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const scale = high > low ? (height - 2 * margin) / (high - low) : 0;
  const step = values.length > 1 ? width / (values.length - 1) : 0;
  return values.map((value, at) => [at * step, scale === 0 ? height / 2 : height - margin - (value - low) * scale]);
}

/** How many of the ascending times have passed at each of equally distant moments, as a line that climbs. */
export function counts(times, moments = 40) {
  const [first, last] = [times[0], times[times.length - 1]];
  return Array.from({ length: moments }, (_, at) => {
    const moment = first + ((last - first) * at) / (moments - 1);
    return times.filter((time) => time <= moment).length;
  });
}

/** A line through values; `label` says to a screen reader what the line shows. */
export function line(values, label) {
  if (values.length < 2) {
    return null;
  }
  const text = points(values).map(([x, y]) => `${x.toFixed(1)},${y.toFixed(1)}`).join(" ");
  return svg(
    "svg",
    { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", role: "img", "aria-label": label },
    svg("polygon.under", { points: `0,${HEIGHT} ${text} ${WIDTH},${HEIGHT}` }),
    svg("polyline.trace", { points: text }),
  );
}

/**
 * Places blocks in columns by height and in rows by branch: the best chain in the first row, and each side branch in a row
 * of its own.
 */
export function layout(best, side) {
  const rows = new Map();
  best.forEach((block) => rows.set(block.hash, 0));
  const lowest = Math.min(...best.map((block) => block.height));
  // A long side branch ends where the picture does.
  const highest = Math.max(...best.map((block) => block.height)) + best.length;
  const ascending = side.filter(({ height }) => height >= lowest && height <= highest).sort((a, b) => a.height - b.height);
  let count = 1;
  for (const block of ascending) {
    const parent = rows.get(block.previous_hash);
    const taken = ascending.some((other) => other !== block && other.previous_hash === block.previous_hash && rows.has(other.hash));
    rows.set(block.hash, parent !== undefined && parent > 0 && !taken ? parent : count);
    count = Math.max(count, rows.get(block.hash) + 1);
  }
  const places = new Map();
  for (const block of [...best, ...ascending]) {
    places.set(block.hash, { block, column: block.height - lowest, row: rows.get(block.hash) });
  }
  return { places, rows: count, columns: Math.max(...[...best, ...ascending].map((block) => block.height)) - lowest + 1 };
}

/** The last blocks and the side branches beside them; `null` without side branches. */
export function graph(best, side) {
  const { places, rows, columns } = layout(best, side);
  if (rows === 1) {
    return null;
  }
  const [dx, dy, radius] = [44, 34, 8];
  const at = ({ column, row }) => [24 + column * dx, 22 + row * dy];
  const parts = [];
  for (const place of places.values()) {
    const parent = places.get(place.block.previous_hash);
    if (parent !== undefined) {
      const [[x1, y1], [x2, y2]] = [at(parent), at(place)];
      parts.push(svg("path.link", { d: `M${x1} ${y1} C${x1 + dx / 2} ${y1} ${x2 - dx / 2} ${y2} ${x2} ${y2}` }));
    }
  }
  for (const place of places.values()) {
    const [x, y] = at(place);
    const name = `block ${place.block.height}, ${place.row === 0 ? "on the best chain" : "on a side branch"}`;
    const link = svg("a", { href: `#/block/${place.block.hash}`, "aria-label": name });
    link.append(svg(place.row === 0 ? "circle.best" : "circle.side", { cx: x, cy: y, r: radius }), svg("title", name));
    parts.push(link);
  }
  const [width, height] = [48 + (columns - 1) * dx, 44 + (rows - 1) * dy];
  const image = svg("svg", { width, height, viewBox: `0 0 ${width} ${height}`, role: "group", "aria-label": "The last blocks and their side branches" });
  image.append(...parts);
  return image;
}
