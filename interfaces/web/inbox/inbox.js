// The inbox page: asks for new messages every second and shows them as text, never as markup.
"use strict";

const SHOWN_MAX = 500;
const PAGE_MAX = 1000;
const PAUSE_MS = 1000;

const list = document.getElementById("messages");
const state = document.getElementById("state");
const words = document.getElementById("words");
const template = document.getElementById("message");

let cursor = "";

function item(message) {
  const made = template.content.firstElementChild.cloneNode(true);
  const at = new Date(message.at);
  const shown = {
    to: message.to,
    text: message.text,
    code: message.code,
    encoding: message.encoding,
    segments: message.segments === 1 ? "1 segment" : `${message.segments} segments`,
    account: message.account,
    at: at.toLocaleTimeString(),
  };
  for (const place of made.querySelectorAll("[data-field]")) {
    place.textContent = shown[place.dataset.field];
  }
  const time = made.querySelector("time");
  time.dateTime = message.at;
  time.title = at.toLocaleString();
  made.dataset.words = `${message.to} ${message.code} ${message.text}`.toLowerCase();
  return made;
}

function filter() {
  const wanted = words.value.trim().toLowerCase();
  let found = 0;
  for (const each of list.children) {
    each.hidden = !each.dataset.words.includes(wanted);
    found += each.hidden ? 0 : 1;
  }
  const count = list.childElementCount;
  if (count > 0) {
    say(wanted ? `${found} of ${count} messages.` : count === 1 ? "1 message." : `${count} messages.`);
  }
}

function say(sentence) {
  if (state.textContent !== sentence) {
    state.textContent = sentence;
  }
}

function show(messages) {
  list.prepend(...messages.slice(-SHOWN_MAX).reverse().map(item));
  while (list.childElementCount > SHOWN_MAX) {
    list.lastElementChild.remove();
  }
}

async function poll() {
  try {
    let more = true;
    while (more) {
      const address = `/inbox/messages?after=${encodeURIComponent(cursor)}&limit=${PAGE_MAX}`;
      const answer = await fetch(address, { cache: "no-store" });
      if (!answer.ok) {
        throw new Error(`status ${answer.status}`);
      }
      const page = await answer.json();
      cursor = page.cursor;
      show(page.messages);
      more = page.messages.length === PAGE_MAX;
    }
    if (list.childElementCount === 0) {
      say("Waiting for the first message.");
    } else {
      filter();
    }
  } catch {
    say("The server does not answer; trying again.");
  }
  setTimeout(poll, PAUSE_MS);
}

words.addEventListener("input", filter);
document.getElementById("search").addEventListener("submit", (event) => event.preventDefault());
poll();
