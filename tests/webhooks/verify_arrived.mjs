// Verifies with npm's `standardwebhooks` what tests/webhooks/test_signatures.py wrote down:
//   DTMF_WEBHOOKS_ARRIVED=arrived.jsonl python -m pytest tests/webhooks/test_signatures.py
//   npm install standardwebhooks && node tests/webhooks/verify_arrived.mjs arrived.jsonl
// Prints how many of them it verified, and how many with a bit of the body changed; fails unless all and none.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";

// The package is looked for where this was started, since nothing is installed beside the tests.
const { Webhook } = createRequire(join(process.cwd(), "package.json"))("standardwebhooks");

const arrived = readFileSync(process.argv[2], "utf8").trim().split("\n").map((line) => JSON.parse(line));
let valid = 0;
let forged = 0;
for (const { secret, now, headers, body } of arrived) {
  Date.now = () => now * 1000; // the test's clock stood still then
  new Webhook(secret).verify(body, headers);
  valid += 1;
  try {
    new Webhook(secret).verify(body.replace("e164", "e165"), headers);
    forged += 1;
  } catch {
    // refused, as it should be
  }
}
console.log(`verified ${valid} of ${arrived.length}, forged ones accepted: ${forged}`);
process.exit(valid > 0 && valid === arrived.length && forged === 0 ? 0 : 1);
