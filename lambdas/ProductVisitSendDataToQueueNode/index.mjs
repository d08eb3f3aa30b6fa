/**
 * Accept one product visit and put it on the queue: ProductVisitSendDataToQueue once more, in JavaScript.
 *
 * Trigger:
 *     API Gateway, `POST /visits`, Lambda proxy integration: a synchronous invocation, somebody waits for the answer.
 * Input:
 *     A proxy event whose `body` is JSON with the seven fields of a visit, all strings.
 * Output:
 *     202 `{"ProductVisitKey": …}`, the receipt; 400 `{"message": …, "field": …}` for a visit that is not one.
 * Env:
 *     QUEUE_URL: where visits wait.
 * Needs:
 *     sqs:SendMessage on that queue.
 * Repeats:
 *     A second POST is a second visit with a receipt of its own. From here on the receipt identifies the visit.
 *
 * https://docs.aws.amazon.com/lambda/latest/dg/nodejs-handler.html
 */

import { randomUUID } from "node:crypto";

import { sendMessage } from "./sqs.mjs";

const FIELDS = ["ProductId", "ProductName", "Category", "PricePerUnit", "CustomerId", "CustomerName", "TimeOfVisit"];
const LONGEST = 200;
const DECIMAL = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i;
const UTC = /^(\d{4}-\d{2}-\d{2})[T ](\d{2}:\d{2})(:\d{2}([.,]\d+)?)?(Z|[+-]00:?00(:?00)?)$/;

export async function handler(event) {
  const began = performance.timeOrigin + performance.now();
  const { visit, problem } = readVisit(event.body);
  if (problem) {
    return answer(400, problem);
  }
  visit.ProductVisitKey = randomUUID();
  await sendMessage(process.env.QUEUE_URL, JSON.stringify(visit));
  logStep(visit, "queued", began);
  return answer(202, { ProductVisitKey: visit.ProductVisitKey });
}

/** Return the seven fields of a visit, or what is wrong with it. */
function readVisit(body) {
  let visit;
  try {
    visit = JSON.parse(body || "");
  } catch {
    return refused("The body is not JSON.");
  }
  if (typeof visit !== "object" || visit === null || Array.isArray(visit)) {
    return refused("The body is not a JSON object.");
  }
  for (const field of FIELDS) {
    const length = typeof visit[field] === "string" ? [...visit[field].trim()].length : 0;
    if (length === 0 || length > LONGEST) {
      return refused(`${field} must be a text of 1 to ${LONGEST} characters.`, field);
    }
  }
  const price = visit.PricePerUnit.trim().replaceAll("_", ""); // Python reads 1_000 as a number, too
  if (!DECIMAL.test(price) || Number(price) < 0 || Number(price) >= 1e9) {
    return refused("PricePerUnit must be a decimal number of 0 or more, such as 89.90.", "PricePerUnit");
  }
  if (!isUtc(visit.TimeOfVisit.trim())) {
    return refused("TimeOfVisit must be a time in UTC, such as 2026-01-15T10:22:31Z.", "TimeOfVisit");
  }
  return { visit: Object.fromEntries(FIELDS.map((field) => [field, visit[field].trim()])) };
}

function refused(message, field = null) {
  return { problem: { message, field } };
}

function isUtc(text) {
  const [, day, minute, second = ":00"] = UTC.exec(text) ?? [];
  const time = new Date(`${day}T${minute}${second.slice(0, 3)}Z`);
  return !Number.isNaN(time.getTime()) && time.toISOString().startsWith(`${day}T${minute}`); // there is no 30 February
}

/** Write the line by which this visit can be followed through the logs; console.log would put more before it. */
function logStep(visit, step, began) {
  const at = performance.timeOrigin + performance.now();
  process.stdout.write(`${JSON.stringify({ ProductVisitKey: visit.ProductVisitKey, step, began, at })}\n`);
}

function answer(statusCode, body) {
  const headers = { "Content-Type": "application/json", "Access-Control-Allow-Origin": "*" };
  return { statusCode, headers, body: JSON.stringify(body) };
}
