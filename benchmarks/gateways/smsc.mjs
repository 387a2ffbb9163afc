// The SMSC and the receiver of the webhooks, in one process with one clock: npm's `smpp`, and Node's http.
//
// Reads commands from standard input, writes events to standard output, one JSON object a line. `run` delivers `count`
// SMS over a bind, and answers `done` once each was acknowledged and has reached the receiver,
// or nothing has happened for half a minute. It ends with its input.

import http from 'node:http';
import readline from 'node:readline';
import { performance } from 'node:perf_hooks';
import smpp from 'smpp';

const FIRST_NUMBER = 20_000_000_000;
const KEPT = 2; // requests of a run, to verify what they say
const STUCK_MS = 30_000;
const MARK = /Z([0-9]{8})/; // in a JSON body, a form or a query alike
const binds = new Map(); // system_id: session
let run = null;

const say = (event, facts) => process.stdout.write(JSON.stringify({ event, ...facts }) + '\n');
const text = (n) => `Your verification code is Z${String(n).padStart(8, '0')}: keep it for yourself.`;

const smsc = smpp.createServer((session) => {
  const bind = (pdu) => {
    binds.set(pdu.system_id, session);
    session.send(pdu.response({ system_id: 'bench' }));
    say('bound', { system_id: pdu.system_id });
  };
  for (const command of ['bind_transceiver', 'bind_receiver', 'bind_transmitter']) session.on(command, bind);
  for (const command of ['enquire_link', 'unbind']) session.on(command, (pdu) => session.send(pdu.response()));
  session.on('error', () => {}); // a gateway that stops
});

const receiver = http.createServer({ keepAliveTimeout: 60_000 }, (request, response) => {
  let body = '';
  request.setEncoding('utf8');
  request.on('data', (chunk) => (body += chunk));
  request.on('end', () => {
    response.end('ACK/Jasmin'); // what Jasmin wants to read; the others don't look
    const found = MARK.exec(request.method === 'GET' ? request.url : body);
    if (run && found) run.arrived(Number(found[1]), request, body);
  });
});

class Run {
  constructor({ bind, count, outstanding, per_second: perSecond, numbers }) {
    Object.assign(this, { session: binds.get(bind), count, outstanding, perSecond, numbers });
    this.sent = new Float64Array(count);
    this.acknowledged = new Float64Array(count);
    this.hooked = new Float64Array(count);
    this.next = this.answers = this.hooks = this.refused = this.again = 0;
    this.kept = [];
    this.cpu = process.cpuUsage();
    this.lastMs = performance.now();
    this.watch = setInterval(() => performance.now() - this.lastMs > STUCK_MS && this.end(), 1000);
    if (perSecond) this.paced = setInterval(() => this.pace(), 1);
    else while (this.next < Math.min(count, outstanding)) this.deliver();
  }

  pace() {
    const due = Math.floor(((performance.now() - (this.startMs ??= performance.now())) / 1000) * this.perSecond) + 1;
    while (this.next < Math.min(due, this.count)) this.deliver();
  }

  deliver() {
    const n = this.next++;
    this.sent[n] = performance.now();
    const sms = {
      source_addr_ton: 1, source_addr_npi: 1, source_addr: '14155550123',
      dest_addr_ton: 1, dest_addr_npi: 1, destination_addr: String(FIRST_NUMBER + (n % this.numbers)),
      data_coding: 0, short_message: text(n),
    };
    this.session.deliver_sm(sms, (answer) => {
      this.acknowledged[n] = this.lastMs = performance.now();
      this.answers++;
      if (answer.command_status) this.refused++;
      if (!this.perSecond && this.next < this.count) this.deliver();
      this.look();
    });
  }

  arrived(n, request, body) {
    if (n >= this.count || this.hooked[n]) return void this.again++;
    this.hooked[n] = this.lastMs = performance.now();
    this.hooks++;
    if (this.kept.length < KEPT) this.kept.push({ headers: request.headers, body });
    this.look();
  }

  look() {
    if (this.answers === this.count && this.hooks === this.count) this.end();
  }

  end() {
    clearInterval(this.watch);
    clearInterval(this.paced);
    run = null;
    const { user, system } = process.cpuUsage(this.cpu);
    const tookMs = Math.max(...this.hooked) - this.sent[0];
    say('done', {
      answers: this.answers, hooks: this.hooks, refused: this.refused, again: this.again, took_ms: tookMs,
      busy: (user + system) / 1000 / tookMs, acknowledged_ms: this.times(this.acknowledged),
      hooked_ms: this.times(this.hooked), kept: this.kept,
    });
  }

  times(ended) {
    const took = ended.map((ms, n) => ms - this.sent[n]).filter((ms) => ms >= 0).sort(); // not those that never came
    const at = (part) => took[Math.min(took.length - 1, Math.floor(took.length * part))];
    return { p50: at(0.5), p99: at(0.99), greatest: at(1) };
  }
}

const listening = (server) => new Promise((done) => server.listen(0, '127.0.0.1', () => done(server.address().port)));
say('listening', { smpp: await listening(smsc), http: await listening(receiver) });
const lines = readline.createInterface({ input: process.stdin });
lines.on('line', (line) => (run = new Run(JSON.parse(line))));
lines.on('close', () => process.exit(0));
