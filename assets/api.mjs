// Asks the node that serves this page. All paths are relative, so that the page works under any prefix.

/** The answer of a node to a request that it refuses. */
export class ApiError extends Error {
  constructor(status, code, message) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

// Numbers that a double cannot hold become texts. In JSON, a quote inside a text has a backslash before it, so only fields
// of objects are found.
const exact = (json) => json.replace(/"(height|nonce|timestamp)":(\d{16,})(?=[,}])/g, '"$1":"$2"');

async function request(path, options = {}) {
  const token = sessionStorage.getItem("token");
  const headers = { accept: "application/json", ...options.headers };
  if (token) {
    headers.authorization = `Bearer ${token}`;
  }
  const response = await fetch(path, { ...options, headers, cache: "no-cache" });
  const text = await response.text();
  if (!response.ok) {
    let error;
    try {
      error = JSON.parse(text).error;
    } catch {
      // Not from the node, but from something before it.
    }
    throw new ApiError(response.status, error?.code ?? null, error?.message ?? `status ${response.status}`);
  }
  return { text, response };
}

async function json(path, options) {
  const { text } = await request(path, options);
  return text === "" ? null : JSON.parse(exact(text));
}

const postText = (path, body) =>
  json(path, { method: "POST", headers: { "content-type": "application/json" }, body });

const post = (path, body) => postText(path, JSON.stringify(body));

export const status = () => json("status");
export const block = (id) => json(`blocks/${encodeURIComponent(id)}`);
/** Blocks of the best chain from a height down; from the tip without one. */
export const blocksDown = (limit, from) => json(`blocks?order=desc&limit=${limit}${from === undefined ? "" : `&from=${from}`}`);
export const headerAt = (height) => json(`headers/${height}`);
/** Headers of the best chain from the tip down. */
export const headersDown = (limit) => json(`headers?order=desc&limit=${limit}`);
export const branches = (limit) => json(`branches?limit=${limit}`);
export const transaction = (id) => json(`transactions/${encodeURIComponent(id)}`);
export const pending = (limit) => json(`transactions?limit=${limit}`);
export const peers = () => json("peers");
export const bans = () => json("bans");
/** Mines a transaction, which is JSON text, so that no number in it is rounded on the way. */
export const mine = (data) => postText("mine", `{"data":[${data}]}`);
export const submit = (data) => postText("transactions", `{"data":${data}}`);
export const connect = (address) => post("peers", { address });
export const disconnect = (id) => json(`peers/${id}`, { method: "DELETE" });
export const ban = (host, seconds) => post("bans", { host, seconds });
export const unban = (host) => json(`bans/${encodeURIComponent(host)}`, { method: "DELETE" });
/** The receipt of a transaction, as the text of a `.tlog-proof` file. */
export const receipt = async (id) =>
  (await request(`receipts/${encodeURIComponent(id)}`, { headers: { accept: "text/plain" } })).text;
