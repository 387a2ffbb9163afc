// Reads webhooks from standard input, one JSON object a line, and says of each whether npm's `standardwebhooks`
// verifies it: "valid" or "refused". `now` is what its clock shall show, `body` the bytes that arrived, in base64.
import { createInterface } from "node:readline";
import { Webhook, WebhookVerificationError } from "standardwebhooks";

for await (const line of createInterface({ input: process.stdin })) {
  const { secret, now, headers, body } = JSON.parse(line);
  Date.now = () => now * 1000;
  console.log(verdict(secret, headers, Buffer.from(body, "base64")));
}

function verdict(secret, headers, body) {
  try {
    new Webhook(secret).verify(body, headers);
    return "valid";
  } catch (error) {
    if (error instanceof WebhookVerificationError) return "refused";
    throw error;
  }
}
