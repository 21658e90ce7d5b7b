// Checks the receipt of an event in this browser, with WebCrypto alone: the server that stores the event is not asked
// whether it is right. What is followed: RFC 6962 section 2.1 and RFC 9162 section 2.1.3.2 (paths), C2SP tlog-checkpoint and
// signed-note (checkpoints). An index or size is at most 2^53, and halved by division: bit operators end at 2^32.
"use strict";

const ED25519_NOTE = 1;
const utf8 = new TextEncoder();

const fromBase64 = (text) => Uint8Array.from(atob(text), (one) => one.charCodeAt(0));
const toBase64 = (bytes) => btoa(String.fromCharCode(...bytes));
const sha256 = async (...parts) => new Uint8Array(await crypto.subtle.digest("SHA-256", joined(parts)));
const hashes = (of) => (of.hashes.length === 1 ? "1 hash leads" : `${of.hashes.length} hashes lead`);
const half = (number) => Math.floor(number / 2);

function joined(parts) {
  const whole = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
  let place = 0;
  for (const part of parts) {
    whole.set(part, place);
    place += part.length;
  }
  return whole;
}

const leafHash = (entry) => sha256(new Uint8Array([0]), utf8.encode(entry));
const nodeHash = (left, right) => sha256(new Uint8Array([1]), left, right);

/** The root that a path leads to, in base64; null when it is too long or too short for this place in a tree of this size. */
async function rootOf({ entry, index, size, hashes }) {
  if (!(Number.isSafeInteger(index) && Number.isSafeInteger(size) && 0 <= index && index < size)) {
    return null;
  }
  let place = index;
  let last = size - 1;
  let found = await leafHash(entry);
  for (const text of hashes) {
    if (last === 0) {
      return null;
    }
    const sibling = fromBase64(text);
    if (place % 2 || place === last) {
      found = await nodeHash(sibling, found);
      while (place % 2 === 0 && place) {
        place = half(place);
        last = half(last);
      }
    } else {
      found = await nodeHash(found, sibling);
    }
    place = half(place);
    last = half(last);
  }
  return last === 0 ? toBase64(found) : null;
}

/** Text and signatures of a signed note; throws where it is none. */
function opened(note) {
  const end = note.lastIndexOf("\n\n");
  const text = note.slice(0, end + 1);
  const [origin, size, root] = text.split("\n");
  const signatures = note
    .slice(end + 2)
    .split("\n")
    .filter((line) => line.startsWith("\u2014 "))
    .map((line) => {
      const [, name, encoded] = line.split(" ");
      const bytes = fromBase64(encoded);
      return { name, keyId: toBase64(bytes.slice(0, 4)), signature: bytes.slice(4) };
    });
  return { text, origin, size: Number(size), root, signatures };
}

/** A vkey `<name>+<key id>+<base64>`, with the key id computed anew from name and key; null for keys of another type. */
async function verifier(vkey) {
  const name = vkey.slice(0, vkey.indexOf("+"));
  const material = fromBase64(vkey.slice(vkey.indexOf("+", name.length + 1) + 1));
  if (material[0] !== ED25519_NOTE || material.length !== 33) {
    return null;
  }
  const keyId = (await sha256(utf8.encode(`${name}\n`), material)).slice(0, 4);
  return { name, keyId: toBase64(keyId), key: material.slice(1) };
}

async function hasEd25519() {
  try {
    await crypto.subtle.importKey("raw", new Uint8Array(32), "Ed25519", false, ["verify"]);
    return true;
  } catch (error) {
    return error.name !== "NotSupportedError";
  }
}

/** Whether one of the keys signed the note, and none of them badly. A key of the log has its origin for a name. */
async function isSigned(note, origin, vkeys) {
  const { text, signatures } = opened(note);
  let count = 0;
  for (const vkey of vkeys) {
    const known = await verifier(vkey);
    const made = known && signatures.find((one) => one.name === known.name && one.keyId === known.keyId);
    if (!made || known.name !== origin) {
      continue;
    }
    const key = await crypto.subtle.importKey("raw", known.key, "Ed25519", false, ["verify"]);
    if (!(await crypto.subtle.verify("Ed25519", key, made.signature, utf8.encode(text)))) {
      return false;
    }
    count += 1;
  }
  return count > 0;
}

function isCheckpointOf({ checkpoint, origin, size, root }) {
  const note = opened(checkpoint);
  return note.origin === origin && note.size === size && note.root === root;
}

/**
 * The steps of checking a receipt, each [sentence, true | false | null]; null is what this browser cannot check.
 * `asked` is what the receipt must be about: {eventId, log, position, vkeys}.
 */
async function check(receipt, asked) {
  const { account, log } = receipt;
  const able = await hasEd25519();
  const sign = async (note) => (able ? isSigned(note, log.origin, asked.vkeys) : null);
  const steps = [
    ["The entry is the event that was asked for, in its account's log, at its position.", () => {
      const event = JSON.parse(account.entry);
      return (
        event.event_id === asked.eventId && event.log === asked.log && event.position === asked.position &&
        account.index === asked.position - 1
      );
    }],
    ["SHA-256 of a zero byte and the entry is the leaf of the receipt.",
      async () => toBase64(await leafHash(account.entry)) === account.leaf_hash],
    [`From the leaf, ${hashes(account)} to the root of the account's log of ${account.size} events.`,
      async () => (await rootOf(account)) === account.root],
    ["That root and size are those of the checkpoint of this account's log.",
      () => account.origin === `${log.origin}/${asked.log}` && isCheckpointOf(account)],
    ["The head of the account in the log over all logs names that same root and size.", () => {
      const head = JSON.parse(log.entry);
      return head.log === asked.log && head.size === account.size && head.root === account.root;
    }],
    [`From that head, ${hashes(log)} to the root of the log over all logs, of ${log.size} heads.`,
      async () => (await rootOf(log)) === log.root],
    ["That root and size are those of the checkpoint over all logs.", () => isCheckpointOf(log)],
    ["The account's checkpoint is signed by a key of the log (Ed25519).", () => sign(account.checkpoint)],
    ["The checkpoint over all logs is signed by a key of the log (Ed25519).", () => sign(log.checkpoint)],
  ];
  const told = [];
  for (const [sentence, holds] of steps) {
    let result = false;
    try {
      result = await holds();
    } catch {
      // what cannot be read does not hold
    }
    told.push([sentence, result]);
  }
  return told;
}

const VERDICTS = {
  sound: "Proved: this event is in the signed log, letter by letter as it is shown here.",
  broken: "NOT proved: at least one step fails. Do not believe this event; compare with a bundle or a checkpoint that you kept.",
  unsigned:
    "The paths hold, but this browser has no Ed25519: whether the checkpoints are signed is open. Any tool that reads C2SP signed notes can tell.",
  unread: "There is nothing to check:",
};
const MARKS = new Map([[true, ["holds", "\u2713"]], [false, ["fails", "\u2717"]], [null, ["open", "?"]]]);

function element(name, text, className = "") {
  const made = document.createElement(name);
  made.textContent = text;
  made.className = className;
  return made;
}

function show(place, verdict, { steps = [], detail = "", entry = "" } = {}) {
  const list = document.createElement("ol");
  for (const [sentence, result] of steps) {
    const [word, mark] = MARKS.get(result);
    const item = element("li", "", word);
    item.append(element("strong", `${mark} ${word}: `), sentence);
    list.append(item);
  }
  const shown = [element("p", `${VERDICTS[verdict]} ${detail}`.trim(), "verdict"), ...(steps.length ? [list] : [])];
  if (entry && verdict !== "broken") {
    shown.push(element("pre", JSON.stringify(JSON.parse(entry), null, 2)));
  }
  place.replaceChildren(...shown);
  place.dataset.verdict = verdict;
}

/** Check a receipt as it came, and show in `place` what was found. */
async function judge(place, text, { eventId, log, position } = {}) {
  delete place.dataset.verdict;
  if (!globalThis.crypto?.subtle) {
    show(place, "unread", { detail: "a browser hashes only on https or localhost." });
    return;
  }
  try {
    const receipt = JSON.parse(text);
    const entry = JSON.parse(receipt.account.entry);
    const kept = document.getElementById("kept")?.value.trim() ?? "";
    const steps = await check(receipt, {
      eventId: eventId ?? receipt.event_id,
      log: log ?? entry.log,
      position: Number(position ?? receipt.position),
      vkeys: kept ? kept.split(/\s+/) : receipt.vkeys,
    });
    const fails = steps.some(([, result]) => result === false);
    const isOpen = steps.some(([, result]) => result === null);
    const detail = kept ? "" : fails ? "" : "The keys are those that the receipt names: compare them with the ones you kept.";
    show(place, fails ? "broken" : isOpen ? "unsigned" : "sound", { steps, detail, entry: receipt.account.entry });
  } catch {
    show(place, "unread", { detail: "this is not a receipt." });
  }
}

async function ask(place) {
  const { receipt, event: eventId, log, position } = place.dataset;
  try {
    const answer = await fetch(receipt, { headers: { Accept: "application/json" } });
    const text = await answer.text();
    if (answer.ok) {
      await judge(place, text, { eventId, log, position });
    } else {
      show(place, "unread", { detail: JSON.parse(text).detail });
    }
  } catch {
    show(place, "unread", { detail: "the server does not answer." });
  }
}

// A place with data-receipt asks for its receipt; where there is a form, its fields are judged.
for (const place of document.querySelectorAll("[data-receipt]")) {
  ask(place);
  document.getElementById("kept")?.addEventListener("change", () => ask(place));
}

const form = document.getElementById("check");
form?.addEventListener("submit", (event) => {
  event.preventDefault();
  judge(document.getElementById("verdict"), document.getElementById("receipt").value);
});
document.getElementById("file")?.addEventListener("change", async (event) => {
  document.getElementById("receipt").value = await event.target.files[0].text();
  form.requestSubmit();
});
