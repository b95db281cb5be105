// Starts the example node as a process, on ports from the system, and asks its HTTP interface.

import { spawn } from "node:child_process";
import { createServer } from "node:net";
import { once } from "node:events";

const built = (name) => new URL(`../../target/debug/examples/${name}`, import.meta.url).pathname;
const program = process.env.HASHLOOM_NODE ?? built("node");
const application = process.env.HASHLOOM_EMBED_HTTP ?? built("embed_http");

async function freePort() {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address();
  server.close();
  await once(server, "close");
  return port;
}

/** Waits until a condition holds, and fails after half a minute. */
export async function until(condition, what) {
  const end = Date.now() + 30_000;
  while (!(await condition())) {
    if (Date.now() > end) {
      throw new Error(`it takes too long: ${what}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

export class Node {
  /** A node that is stopped; its ports stay the same. */
  static async new(variables = {}) {
    const node = new Node();
    [node.http, node.p2p] = [await freePort(), await freePort()];
    node.variables = { EPHEMERAL: "1", ON_DEMAND: "1", RUST_LOG: "warn", ...variables };
    node.url = `http://127.0.0.1:${node.http}`;
    return node;
  }

  async start() {
    const ports = { HTTP_PORT: String(this.http), P2P_PORT: String(this.p2p) };
    this.process = spawn(program, [], { env: { ...process.env, ...this.variables, ...ports }, stdio: "ignore" });
    await until(() => this.get("/status").then(() => true, () => false), "the start of a node");
    return this;
  }

  async stop() {
    const ended = once(this.process, "exit");
    this.process.kill();
    await ended;
  }

  async get(path) {
    return (await fetch(this.url + path)).json();
  }

  async mine(data) {
    const response = await fetch(`${this.url}/mine`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ data: [data] }),
    });
    return response.json();
  }
}

/** An application that serves the routes of its node under a prefix. */
export class Application extends Node {
  static async new() {
    const { http } = await Node.new();
    return Object.assign(new Application(), { http, url: `http://127.0.0.1:${http}/chain` });
  }

  async start() {
    this.process = spawn(application, [`127.0.0.1:${this.http}`], { stdio: "ignore" });
    await until(() => this.get("/status").then(() => true, () => false), "the start of an application");
    return this;
  }
}
