// The process of an execution environment: a client of the Lambda Runtime API that runs a Node.js handler.
//
// Run by path, with nothing but Node.js: `node worker.mjs`. It ends when its stdin closes. Output goes line by line to
// stdout; a zero byte inside a line stands for a line break of the same log event, and a line that begins with byte 1
// says that the output of the init phase or of an invocation is complete.
//
// https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
// https://docs.aws.amazon.com/lambda/latest/dg/nodejs-handler.html

import fs from "node:fs";
import http from "node:http";
import module, { createRequire } from "node:module";
import path from "node:path";
import { pathToFileURL } from "node:url";
import util from "node:util";

const API = "/2018-06-01/runtime";
const [HOST, PORT] = process.env.AWS_LAMBDA_RUNTIME_API.split(":");
const RUNTIME = Number(/nodejs(\d+)/.exec(process.env.AWS_EXECUTION_ENV)?.[1] ?? 22);
const CALLBACKS_ARE_GONE =
  "ERROR: AWS Lambda has removed support for callback-based function handlers starting with Node.js 24. You need to " +
  "modify this function to use a supported handler signature to use Node.js 24 or later. For more information see " +
  "https://docs.aws.amazon.com/lambda/latest/dg/nodejs-handler.html.";
const NEVER_SETTLED =
  "The Lambda runtime client detected an unexpected Node.js exit code. This is most commonly caused by a Promise that " +
  "was never settled. For more information, see https://nodejs.org/docs/latest/api/process.html#exit-codes";

const keptAlive = new http.Agent({ keepAlive: true, maxSockets: 1 });
let requestId; // of the invocation that runs
let whenNothingIsLeft = () => {}; // called when the event loop is empty
let lineIsOpen = false; // the handler wrote something that does not end with a line break

/** An error that the runtime itself reports: "Runtime.HandlerNotFound". */
class RuntimeError extends Error {
  constructor(name, message) {
    super(message);
    this.name = `Runtime.${name}`;
  }
}

// --- Output ----------------------------------------------------------------------------------------------------------

const write = process.stdout.write.bind(process.stdout);
for (const stream of [process.stdout, process.stderr]) {
  const original = stream.write.bind(stream);
  stream.write = (chunk, ...rest) => {
    lineIsOpen = chunk.length > 0 ? !chunk.toString().endsWith("\n") : lineIsOpen;
    return original(chunk, ...rest);
  };
}

function log(level, ...message) {
  const text = `${new Date().toISOString()}\t${requestId}\t${level}\t${util.format(...message)}`;
  write(`${lineIsOpen ? "\n" : ""}${text.replaceAll("\n", "\0")}\n`);
  lineIsOpen = false;
}

for (const level of ["trace", "debug", "info", "warn", "error", "fatal"]) {
  console[level] = (...message) => log(level.toUpperCase(), ...message);
}
console.log = console.info;

function logError(what, error) {
  const shown = error instanceof Error ? error : new Error(error);
  const plain = (_, value) =>
    value instanceof Error
      ? { errorType: value.name, errorMessage: value.message, code: value.code, ...value, stack: lines(value.stack) }
      : value;
  let text;
  try {
    text = JSON.stringify(shown, plain);
  } catch {
    text = JSON.stringify(bodyOf(shown));
  }
  console.error(what, `\t${text}`);
}

/** Say that all that the init phase or an invocation wrote is there. */
function outputIsComplete() {
  write(`${lineIsOpen ? "\n" : ""}\x01${requestId ?? "init"}\n`);
  lineIsOpen = false;
}

// --- The Runtime API -------------------------------------------------------------------------------------------------

function request(method, what, { body, headers, agent = keptAlive } = {}) {
  return new Promise((resolve) => {
    const options = { agent, host: HOST, port: PORT, method, path: `${API}/${what}`, headers };
    const sent = http.request(options, (answer) => {
      const pieces = [];
      answer.on("data", (piece) => pieces.push(piece));
      answer.on("end", () => resolve([answer.headers, Buffer.concat(pieces).toString()]));
    });
    sent.on("error", () => process.exit(0)); // the local cloud is gone
    sent.end(body);
  });
}

function lines(stack) {
  return typeof stack === "string" ? stack.split("\n") : [];
}

function bodyOf(error) {
  return util.types.isNativeError(error) || (error?.name && error?.message && error?.stack)
    ? { errorType: error.name, errorMessage: error.message, trace: lines(error.stack) }
    : { errorType: typeof error, errorMessage: String(error), trace: [] };
}

function postError(where, error, agent) {
  const body = bodyOf(error);
  const type = String(body.errorType).replace(/[^\x20-\x7e]/g, "?");
  const headers = { "Lambda-Runtime-Function-Error-Type": type };
  return request("POST", where, { body: JSON.stringify(body), headers, agent });
}

/** Report an error that nobody caught; the process cannot go on after that. */
function end(what, error, status) {
  logError(what, error);
  const where = requestId ? `invocation/${requestId}/error` : "init/error";
  postError(where, error, new http.Agent()).then(() => process.exit(status)); // the other connection may be waiting
}

// --- The handler -----------------------------------------------------------------------------------------------------

async function findHandler(root, name) {
  if (name.includes("..")) {
    const hint = "Use absolute paths when specifying root directories in handler names.";
    throw new RuntimeError("MalformedHandlerName", `'${name}' is not a valid handler name. ${hint}`);
  }
  const [, file, members] = /^([^.]*)\.(.*)$/.exec(path.basename(name)) ?? [];
  if (file === undefined) {
    throw new RuntimeError("MalformedHandlerName", "Bad handler");
  }
  const loaded = await load(path.resolve(root, path.dirname(name), file), root);
  const handler = members.split(".").reduce((object, member) => object?.[member], loaded);
  if (typeof handler !== "function") {
    const what = handler ? "is not a function" : "is undefined or not exported";
    throw new RuntimeError("HandlerNotFound", `${name} ${what}`);
  }
  if (RUNTIME >= 24 && handler.length >= 3) {
    throw new RuntimeError("CallbackHandlerDeprecated", CALLBACKS_ARE_GONE);
  }
  return handler;
}

/** Import a module: .js by what the nearest package.json says it is, else .mjs or .cjs. */
async function load(file, root) {
  const require = createRequire(`${root}${path.sep}`);
  try {
    const found = ["", ".js", ".mjs", ".cjs"].find((extension) => isFile(file + extension));
    const isModule = found === ".mjs" || (found === ".js" && isInModulePackage(path.dirname(file)));
    return isModule ? await import(pathToFileURL(file + found).href) : require(file + (found ?? ""));
  } catch (error) {
    if (error instanceof SyntaxError) {
      throw new RuntimeError("UserCodeSyntaxError", String(error));
    }
    if (error?.code === "MODULE_NOT_FOUND") {
      throw new RuntimeError("ImportModuleError", String(error));
    }
    throw error;
  }
}

function isFile(name) {
  return fs.statSync(name, { throwIfNoEntry: false })?.isFile() ?? false;
}

function isInModulePackage(folder) {
  const description = path.join(folder, "package.json");
  if (isFile(description)) {
    return JSON.parse(fs.readFileSync(description, "utf8")).type === "module";
  }
  const above = path.dirname(folder);
  return above !== folder && path.basename(folder) !== "node_modules" && isInModulePackage(above);
}

/** Let `import` find what lies in the folders of NODE_PATH, a layer's, as Lambda's Node.js does. */
function importFromLayers() {
  const hooks = `
    import { createRequire } from "node:module";
    import { pathToFileURL } from "node:url";
    export async function resolve(specifier, context, next) {
      try {
        return await next(specifier, context);
      } catch (error) {
        if (error.code !== "ERR_MODULE_NOT_FOUND" || /^[./]|:/.test(specifier)) throw error;
        return next(pathToFileURL(createRequire(context.parentURL).resolve(specifier)).href, context);
      }
    }`;
  module.register?.(`data:text/javascript,${encodeURIComponent(hooks)}`);
}

// --- Invocations -----------------------------------------------------------------------------------------------------

function contextOf(headers) {
  const deadline = Number(headers["lambda-runtime-deadline-ms"]);
  const client = headers["lambda-runtime-client-context"];
  return {
    functionVersion: process.env.AWS_LAMBDA_FUNCTION_VERSION,
    functionName: process.env.AWS_LAMBDA_FUNCTION_NAME,
    memoryLimitInMB: process.env.AWS_LAMBDA_FUNCTION_MEMORY_SIZE,
    logGroupName: process.env.AWS_LAMBDA_LOG_GROUP_NAME,
    logStreamName: process.env.AWS_LAMBDA_LOG_STREAM_NAME,
    clientContext: client === undefined ? undefined : JSON.parse(client),
    identity: undefined,
    invokedFunctionArn: headers["lambda-runtime-invoked-function-arn"],
    awsRequestId: requestId,
    tenantId: undefined,
    getRemainingTimeInMillis: () => deadline - Date.now(),
  };
}

/** Run the handler; the promise is settled by its promise, its callback, or an event loop with nothing left to do. */
function run(handler, event, context) {
  return new Promise((resolve, reject) => {
    const isAsync = handler.constructor.name === "AsyncFunction";
    whenNothingIsLeft = () =>
      isAsync || RUNTIME >= 24 ? reject(new RuntimeError("NodeJsExit", NEVER_SETTLED)) : resolve(null);
    if (RUNTIME >= 24) {
      Promise.resolve(handler(event, context)).then(resolve, reject);
      return;
    }
    const settle = (error, result) => (error === undefined || error === null ? resolve(result) : reject(error));
    const callback = (error, result) => {
      if (context.callbackWaitsForEmptyEventLoop && (error === undefined || error === null)) {
        whenNothingIsLeft = () => resolve(result);
      } else {
        settle(error, result);
      }
    };
    Object.assign(context, {
      callbackWaitsForEmptyEventLoop: true,
      done: settle,
      succeed: (result) => settle(null, result),
      fail: (error) => settle(error ?? "handled"),
    });
    const result = handler(event, context, callback);
    if (typeof result?.then === "function") {
      result.then(resolve, reject);
    }
  });
}

function serialised(result) {
  try {
    return JSON.stringify(result === undefined ? null : result) ?? "null";
  } catch {
    throw new Error("Unable to stringify response body");
  }
}

async function serve(handler) {
  const [headers, payload] = await request("GET", "invocation/next");
  requestId = headers["lambda-runtime-aws-request-id"];
  process.env._X_AMZN_TRACE_ID = headers["lambda-runtime-trace-id"] ?? "";
  const where = `invocation/${requestId}`;
  let body, failure;
  try {
    body = serialised(await run(handler, JSON.parse(payload), contextOf(headers)));
  } catch (error) {
    failure = { error };
    logError("Invoke Error", error);
  }
  whenNothingIsLeft = () => {};
  outputIsComplete();
  await (failure ? postError(`${where}/error`, failure.error) : request("POST", `${where}/response`, { body }));
}

process.stdin.on("end", () => process.exit(0)).on("error", () => process.exit(0));
process.stdin.resume().unref?.();
process.on("beforeExit", () => whenNothingIsLeft());
process.on("uncaughtException", (error) => end("Uncaught Exception", error, 129));
process.on("unhandledRejection", (reason) => {
  const error = new RuntimeError("UnhandledPromiseRejection", String(reason));
  end("Unhandled Promise Rejection", Object.assign(error, { reason, promise: {} }), 128);
});

async function main() {
  let handler;
  try {
    if (process.env.NODE_PATH?.includes(path.delimiter)) {
      importFromLayers();
    }
    handler = await findHandler(process.env.LAMBDA_TASK_ROOT, process.env._HANDLER);
  } catch (error) {
    logError(RUNTIME >= 24 ? "Init Error" : "Uncaught Exception", error);
    outputIsComplete();
    await postError("init/error", error);
    process.exit(129);
  }
  outputIsComplete();
  for (;;) {
    await serve(handler);
  }
}

main();
