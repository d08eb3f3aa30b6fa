/**
 * Send one message to SQS with nothing but Node.js: a signed request.
 *
 * Lambda's own Node.js brings the AWS SDK along, and there two lines do the same:
 *
 *     import { SQSClient, SendMessageCommand } from "@aws-sdk/client-sqs";
 *     await new SQSClient().send(new SendMessageCommand({ QueueUrl, MessageBody }));
 *
 * Where the SDK is not at hand, this function shows what it does: Signature Version 4, with the credentials of the
 * function's role.
 *
 * https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
 * https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-making-api-requests-json.html
 */

import { createHash, createHmac } from "node:crypto";

export async function sendMessage(QueueUrl, MessageBody) {
  const { origin, host } = new URL(QueueUrl);
  const body = JSON.stringify({ QueueUrl, MessageBody });
  const headers = {
    "content-type": "application/x-amz-json-1.0",
    host,
    "x-amz-date": new Date().toISOString().replace(/[:-]|\.\d{3}/g, ""),
    "x-amz-security-token": process.env.AWS_SESSION_TOKEN,
    "x-amz-target": "AmazonSQS.SendMessage",
  };
  const response = await fetch(`${origin}/`, { method: "POST", body, headers: signed(headers, body) });
  if (!response.ok) {
    const error = await response.json();
    throw new Error(`SQS answered ${response.status} ${error.__type ?? ""}: ${error.message ?? error.Message ?? ""}`);
  }
}

/** Return the headers with an Authorization among them; their names must be in alphabetical order. */
function signed(headers, body) {
  const names = Object.keys(headers).join(";");
  const canonical = Object.entries(headers).map(([name, value]) => `${name}:${value}\n`);
  const request = ["POST", "/", "", canonical.join(""), names, sha256(body)].join("\n");
  const time = headers["x-amz-date"];
  const scope = [time.slice(0, 8), process.env.AWS_REGION, "sqs", "aws4_request"];
  const text = ["AWS4-HMAC-SHA256", time, scope.join("/"), sha256(request)].join("\n");
  const key = scope.reduce((secret, part) => hmac(secret, part), `AWS4${process.env.AWS_SECRET_ACCESS_KEY}`);
  const credential = `${process.env.AWS_ACCESS_KEY_ID}/${scope.join("/")}`;
  const signature = hmac(key, text).toString("hex");
  return {
    ...headers,
    authorization: `AWS4-HMAC-SHA256 Credential=${credential}, SignedHeaders=${names}, Signature=${signature}`,
  };
}

function sha256(text) {
  return createHash("sha256").update(text).digest("hex");
}

function hmac(key, text) {
  return createHmac("sha256", key).update(text).digest();
}
