// Read webhooks from stdin, one JSON object per line, and print whether npm's `standardwebhooks` verifies each: "valid"
// or "refused". `now` is the time of its clock, `body` the received bytes in base64.
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
