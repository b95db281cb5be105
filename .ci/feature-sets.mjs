// Prints the sets of features with which `.ci/verify` checks the library, one a line: none, each feature alone, and for each
// piece of code those that the `cfg`s around it name. A missing name, or an item that nothing uses, is so in the smallest set
// that has the code, because a `cfg` without `not` only adds code when a feature is added. A feature that a `cfg` negates is
// combined with each other feature that the top-level module names, to which what the `cfg` removes has to be private.
//
// Sees the `cfg`s of modules and those inside their files; not those around an item that has others inside.

import { existsSync, readFileSync } from "node:fs";

// Not for users: `default` is two of the others, and `websocket` is what the transports share.
const INTERNAL = ["default", "websocket"];

const table = readFileSync("Cargo.toml", "utf8").split(/^\[features\]$/m)[1].split(/^\[/m)[0];
const implied = new Map(
  [...table.matchAll(/^([\w-]+) = \[(.*)\]$/gm)].map(([, name, list]) => [
    name,
    [...list.matchAll(/"([\w-]+)"/g)].map(([, other]) => other),
  ]),
);
// By top-level module: the features that its `cfg`s negate, and all that they name.
const negated = new Map();
const named = new Map();
const sets = new Map();

// Adds a set, unless one that enables the same features is there.
function add(set) {
  const enabled = new Set(set);
  for (const feature of enabled) {
    if (!implied.has(feature)) {
      throw new Error(`Cargo.toml has no feature ${feature}`);
    }
    implied.get(feature).forEach((other) => enabled.add(other));
  }
  const key = [...enabled].sort().join();
  if (!sets.has(key) || sets.get(key).length > set.length) {
    sets.set(key, set);
  }
}

const product = (left, right) => left.flatMap((a) => right.map((b) => [...new Set([...a, ...b])]));

// Splits a list at its commas, but not at those inside parentheses.
const split = (list) => [...list.matchAll(/(?:[^,()]|\((?:[^()]|\([^()]*\))*\))+/g)].map(([part]) => part.trim()).filter(Boolean);

const note = (map, module, feature) => map.set(module, (map.get(module) ?? new Set()).add(feature));

// The sets of features with which a predicate in this top-level module holds; none if it holds in tests alone.
function alternatives(predicate, module) {
  const [, name, inside] = predicate.match(/^(\w+)(?:\((.*)\)| = .*)?$/s) ?? [];
  const within = (part) => alternatives(part, module);
  [...predicate.matchAll(/feature = "([^"]+)"/g)].forEach(([, feature]) => note(named, module, feature));
  switch (name) {
    case "feature":
      return [[predicate.match(/"(.*)"/)[1]]];
    case "any":
      return split(inside).flatMap(within);
    case "all":
      return split(inside).map(within).reduce(product, [[]]);
    case "not":
      [...inside.matchAll(/feature = "([^"]+)"/g)].forEach(([, feature]) => note(negated, module, feature));
      return [[]];
    case "test":
      return [];
    default:
      return [[]];
  }
}

function visit(file, context) {
  const module = file.match(/^src\/([^./]+)/)[1];
  let here = [[]];
  for (const line of readFileSync(file, "utf8").split("\n")) {
    const [, cfg] = line.match(/^\s*#!?\[cfg(?:_attr)?\((.*)\)\]$/) ?? [];
    const [, child] = line.match(/^\s*(?:pub(?:\([^)]*\))? )?mod (\w+);$/) ?? [];
    if (cfg !== undefined) {
      // Of a `cfg_attr` the predicate, which is its first argument.
      here = product(here, alternatives(split(cfg)[0], module));
      product(context, here).forEach(add);
    } else if (child !== undefined) {
      const path = `${file === "src/lib.rs" ? "src" : file.replace(/\.rs$/, "")}/${child}.rs`;
      if (here.length > 0 && existsSync(path)) {
        visit(path, product(context, here));
      }
      here = [[]];
    } else if (/^\s*[^\s/#]/.test(line)) {
      here = [[]];
    }
  }
}

const features = [...implied.keys()].filter((name) => !INTERNAL.includes(name));
add([]);
features.forEach((feature) => add([feature]));
visit("src/lib.rs", [[]]);
for (const [module, negations] of negated) {
  negations.forEach((feature) => named.get(module).forEach((other) => add([...new Set([feature, other])])));
}
sets.forEach((set) => console.log(set.join()));
