// An SMSC based on npm's `smpp`: its frames, PDUs and encodings. It takes the same lines of JSON as
// examples/smpp_smsc/smsc.py, so that tests/smpp runs against either, and these:
//
// {"do": "deliver", "to": ["dtmf", …], "sms": [{…}, …]}   deliver_sm as npm encodes them; {"hex": "…"} is a buffer
// {"do": "spool", "to": "dtmf", "sms": [{…}, …]}          the same, spooled until each is acknowledged, over any bind
// {"do": "ask", "command": "unbind"}                      a request without a body, on the newest connection
// {"do": "set", "relay": {"a": "b"}, …}                   messages submitted by a are delivered to b unchanged
//
// It prints {"event": "sms", "from", "to", "text"} once npm has decoded all parts of a submitted SMS, and "spooled" with
// the number left when one of the spool is acknowledged.
//
// node smsc.mjs [PORT [CERTIFICATE]]
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import smpp from "smpp";

const BINDS = { bind_receiver: "receiver", bind_transmitter: "transmitter", bind_transceiver: "transceiver" };
const WINDOW = 50; // unacknowledged messages of the spool
const AGAIN_MS = 20; // pause before a rejected message of the spool is retried

const behaviour = {
  bind: 0, // the status of the bind response
  after_bind: "", // octets sent in the same segment as that response
  submit: [], // the statuses of the next submit_sm; then 0. -1: no response
  answer_ms: 0, // delay of the response to a submit_sm
  receipts: false, // send a receipt for each accepted SMS
  decimal_receipts: false, // message_id is hexadecimal in the response and decimal in the receipt
  tlv_receipts: false, // receipts in TLVs instead of text
  stat: "DELIVRD", // the stat field of receipts
  backwards: false, // respond to submit_sm in pairs, the second first
  answers: true, // false: never respond
  greeting: "", // octets sent on connection
  relay: {},
};
const STATES = { DELIVRD: 2, EXPIRED: 3, DELETED: 4, UNDELIV: 5, REJECTD: 8 };

const connections = new Map(); // number: session
const spools = new Map(); // system_id: Spool
const parts = new Map(); // of submitted long messages: key: texts by number
let connected = 0;
let messageId = 0xabbf;
let held = null;

const say = (event, facts) => process.stdout.write(JSON.stringify({ event, ...facts }) + "\n");
const octets = (hex) => Buffer.from(hex, "hex");
const bound = (systemId, ...not) =>
  [...connections.values()].find((s) => s.bind && !not.includes(s.bind) && (!systemId || s.systemId === systemId));

// npm discards the octets it has read, and treats a truncated PDU at the end of the stream as complete.
const fromStream = smpp.PDU.fromStream;
smpp.PDU.fromStream = (stream, length) => {
  const rest = stream.read(length - 4);
  if (rest?.length !== length - 4) return false;
  const head = Buffer.alloc(4);
  head.writeUInt32BE(length);
  return Object.defineProperty(fromStream({ read: () => rest }, length), "octets", { value: Buffer.concat([head, rest]) });
};

function serve(session) {
  session.number = ++connected;
  connections.set(session.number, session);
  say("connected", { connection: session.number });
  if (behaviour.greeting) session.socket.write(octets(behaviour.greeting));
  session.on("error", () => {}); // a connection that broke: "close" follows
  session.on("close", () => {
    connections.delete(session.number);
    for (const spool of spools.values()) spool.lost(session);
    say("closed", { connection: session.number });
  });
  session.on("pdu", (pdu) => {
    const { command_id: command, command_status: status, sequence_number: sequence } = pdu;
    say("pdu", { connection: session.number, command, status, sequence, octets: pdu.octets.toString("hex") });
    if (behaviour.answers && !pdu.isResponse()) answer(session, pdu);
  });
}

function answer(session, pdu) {
  if (pdu.command in BINDS) answerBind(session, pdu);
  else if (pdu.command === "submit_sm") take(session, pdu);
  else if (pdu.command === "unbind") session.send(pdu.response(), () => session.close());
  else session.send(pdu.response());
}

function answerBind(session, pdu) {
  session.socket.cork();
  session.send(pdu.response({ command_status: behaviour.bind, system_id: "npm" }));
  session.socket.write(octets(behaviour.after_bind));
  session.socket.uncork();
  if (behaviour.bind) return;
  Object.assign(session, { bind: BINDS[pdu.command], systemId: pdu.system_id });
  say("bound", { connection: session.number, bind: session.bind, system_id: pdu.system_id });
  spools.get(pdu.system_id)?.deliver();
}

function take(session, pdu) {
  const status = behaviour.submit.length ? behaviour.submit.shift() : 0;
  if (status < 0) return;
  const id = ++messageId;
  const respond = () => {
    session.send(pdu.response({ command_status: status, message_id: id.toString(16).toUpperCase() }));
    if (status) return;
    if (behaviour.receipts) report(id, pdu);
    if (behaviour.relay[session.systemId]) relay(behaviour.relay[session.systemId], pdu.octets);
  };
  if (!status) read(session.systemId, pdu);
  if (behaviour.answer_ms) return void setTimeout(respond, behaviour.answer_ms);
  if (behaviour.backwards && !held) return void (held = respond);
  respond();
  held?.();
  held = null;
}

// A submitted text as decoded by npm, once all its parts have arrived.
function read(systemId, pdu) {
  const carried = pdu.message_payload ?? pdu.short_message;
  const udh = (carried.udh ?? []).find((element) => element[0] === 0x00 || element[0] === 0x08);
  const [ref, total, number] = udh
    ? [udh.subarray(2, -2).toString("hex"), udh.at(-2), udh.at(-1)]
    : [pdu.sar_msg_ref_num, pdu.sar_total_segments ?? 1, pdu.sar_segment_seqnum ?? 1];
  const key = JSON.stringify([systemId, pdu.source_addr, pdu.destination_addr, ref, total]);
  const texts = parts.get(key) ?? new Map();
  parts.set(key, texts.set(number, carried.message));
  if (texts.size < total) return;
  parts.delete(key);
  const text = [...texts.keys()].sort((a, b) => a - b).map((each) => texts.get(each)).join("");
  say("sms", { system_id: systemId, from: pdu.source_addr, to: pdu.destination_addr, text, segments: total });
}

function report(id, { source_addr: from, destination_addr: to }) {
  const ref = id.toString(behaviour.decimal_receipts ? 10 : 16).toUpperCase();
  const { stat } = behaviour;
  const err = stat === "DELIVRD" ? "000" : "027";
  const said = behaviour.tlv_receipts
    ? { short_message: "", receipted_message_id: ref, message_state: STATES[stat], network_error_code: octets("03001b") }
    : { short_message: `id:${ref} sub:001 dlvrd:001 submit date:2601010000 done date:2601010000 stat:${stat} err:${err} text:` };
  bound(null, "transmitter")?.deliver_sm({ source_addr: to, destination_addr: from, esm_class: 4, data_coding: 0, ...said });
}

function relay(systemId, submitted) {
  const delivered = Buffer.from(submitted);
  const session = bound(systemId, "transmitter");
  delivered.writeUInt32BE(smpp.commands.deliver_sm.id, 4);
  delivered.writeUInt32BE(++session.sequence, 12);
  session.socket.write(delivered);
}

// SMS that are spooled until they are acknowledged. Those left unacknowledged by a broken connection are sent first.
class Spool {
  constructor(systemId) {
    Object.assign(this, { systemId, waiting: [], unanswered: new Map(), left: 0 });
  }

  add(sms) {
    for (const each of sms) this.waiting.push(each);
    this.left += sms.length;
    this.deliver();
  }

  deliver() {
    const session = bound(this.systemId, "transmitter");
    while (session && this.waiting.length && this.unanswered.size < WINDOW) {
      const sms = this.waiting.shift();
      this.unanswered.set(sms, session);
      session.deliver_sm(sms, (response) => this.answered(sms, session, response.command_status));
    }
  }

  answered(sms, session, status) {
    if (this.unanswered.get(sms) !== session) return;
    this.unanswered.delete(sms);
    if (status) setTimeout(() => (this.waiting.push(sms), this.deliver()), AGAIN_MS);
    else say("spooled", { text: sms.short_message, left: --this.left });
    this.deliver();
  }

  lost(session) {
    const back = [...this.unanswered].filter(([, over]) => over === session).map(([sms]) => sms);
    for (const sms of back) this.unanswered.delete(sms);
    this.waiting.unshift(...back);
    this.deliver();
  }
}

const commands = {
  set: (asked) => Object.assign(behaviour, asked),
  send: ({ octets: hex, connection }) => connections.get(connection ?? newest()).socket.write(octets(hex)),
  close: ({ connection }) => {
    for (const number of connection ? [connection] : connections.keys()) connections.get(number).socket.resetAndDestroy();
  },
  ask: ({ command }) => connections.get(newest())[command](),
  sms: ({ from, to, text }) => bound(null, "transmitter").deliver_sm(
    { source_addr_ton: 1, source_addr: from.slice(1), dest_addr_ton: 1, destination_addr: to.slice(1), short_message: text, data_coding: 8 },
  ),
  deliver: ({ to, sms }) => {
    for (const systemId of to) for (const each of sms) bound(systemId, "transmitter").deliver_sm(each);
  },
  spool: ({ to, sms }) => {
    if (!spools.has(to)) spools.set(to, new Spool(to));
    spools.get(to).add(sms);
  },
};
const newest = () => Math.max(...connections.keys());
const buffers = (key, value) => (typeof value?.hex === "string" ? octets(value.hex) : value);

function carryOut(line) {
  try {
    const asked = JSON.parse(line, buffers);
    commands[asked.do](asked);
    say("done", { do: asked.do });
  } catch (error) {
    say("refused", { reason: `${error.name}: ${error.message}` });
  }
}

const [port = "2775", certificate] = process.argv.slice(2);
const pem = certificate && readFileSync(certificate);
const server = smpp.createServer(pem ? { key: pem, cert: pem } : {}, serve);
server.listen(Number(port), "127.0.0.1", () => say("listening", { port: server.address().port }));
createInterface({ input: process.stdin }).on("line", carryOut).on("close", () => process.exit(0));
