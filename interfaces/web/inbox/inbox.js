// The inbox page: takes new messages from a stream, finds, copies, and listens to the keyboard.
// Markup comes from our own server alone, which escapes all that is in a message.
"use strict";

const SHOWN_MAX = 500;
const RETRY_MS = 2000;
const SAID_MS = 1500;
const KEYS_OFF = "doneotp.inbox.keys";

const find = (id) => document.getElementById(id);
const list = find("messages");
const state = find("state");
const link = find("link");
const words = find("words");
const keys = find("keys");

let cursor = list.dataset.cursor;
let source = null;

function say(place, sentence) {
  place.hidden = sentence === "";
  if (place.textContent !== sentence) {
    place.textContent = sentence;
  }
}

function filter() {
  const wanted = words.value.trim().toLowerCase();
  const count = list.childElementCount;
  let found = 0;
  for (const each of list.children) {
    each.hidden = !each.dataset.words.includes(wanted);
    found += each.hidden ? 0 : 1;
  }
  find("empty").hidden = count > 0;
  if (count === 0) {
    say(state, "No message yet.");
  } else if (wanted) {
    say(state, found ? `${found} of ${count} messages.` : `Nothing in ${count} messages has “${words.value.trim()}” in it.`);
  } else {
    say(state, count === 1 ? "1 message." : `${count} messages.`);
  }
}

function localize(root) {
  for (const time of root.querySelectorAll("time")) {
    const at = new Date(time.dateTime);
    time.textContent = at.toLocaleTimeString();
    time.title = at.toLocaleString();
  }
}

function take(event) {
  cursor = event.lastEventId;
  const made = document.createRange().createContextualFragment(JSON.parse(event.data));
  localize(made);
  list.prepend(...made.children);
  while (list.childElementCount > SHOWN_MAX) {
    list.lastElementChild.remove();
  }
  filter();
}

function open() {
  source = new EventSource(`/inbox/events?after=${encodeURIComponent(cursor)}`);
  source.addEventListener("open", () => say(link, ""));
  source.addEventListener("messages", take);
  source.addEventListener("error", () => {
    say(link, "No connection to the server: it has stopped, or too many pages have the inbox open. Trying again.");
    if (source.readyState === EventSource.CLOSED) {
      setTimeout(reopen, RETRY_MS);
    }
  });
}

function close() {
  source?.close();
  source = null;
}

function reopen() {
  close();
  if (!document.hidden) {
    open();
  }
}

async function copy(button) {
  const said = (button.dataset.said ??= button.textContent);
  try {
    await navigator.clipboard.writeText(button.dataset.copy);
    button.textContent = "Copied";
    say(state, `${said}: done.`);
  } catch {
    // Not a secure context (an address of the local network), or not allowed: select it instead.
    const message = button.closest(".message");
    const text = message.querySelector(".bubble");
    getSelection().selectAllChildren(button.dataset.copy === text.textContent ? text : message.querySelector(".code code"));
    button.textContent = "Selected: press Ctrl+C";
    say(state, "The clipboard is closed to this page. It is selected: press Ctrl+C.");
  }
  setTimeout(() => {
    button.textContent = said;
    filter();
  }, SAID_MS);
}

function visible() {
  return [...list.children].filter((each) => !each.hidden);
}

function step(by) {
  const all = visible();
  const now = all.indexOf(document.activeElement?.closest(".message"));
  const next = all[Math.min(Math.max(now + by, 0), all.length - 1)];
  next?.focus();
}

function copyCode() {
  const chosen = document.activeElement?.closest(".message") ?? visible()[0];
  const button = chosen?.querySelector("button");
  if (button) {
    copy(button);
  }
}

const ACTIONS = {
  j: () => step(1),
  ArrowDown: () => step(1),
  k: () => step(-1),
  ArrowUp: () => step(-1),
  c: copyCode,
  "/": () => words.focus(),
};

function pressed(event) {
  if (event.target === words) {
    if (event.key === "Escape") {
      words.value === "" ? words.blur() : (words.value = "");
      filter();
      event.preventDefault();
    }
    return;
  }
  const action = ACTIONS[event.key];
  const isPlain = !(event.ctrlKey || event.metaKey || event.altKey);
  if (action && isPlain && keys.checked) {
    event.preventDefault();
    action();
  }
}

function remembered() {
  try {
    return localStorage.getItem(KEYS_OFF) === null;
  } catch {
    return true;
  }
}

function remember() {
  try {
    keys.checked ? localStorage.removeItem(KEYS_OFF) : localStorage.setItem(KEYS_OFF, "off");
  } catch {
    // the choice holds for this page
  }
}

const asked = new URLSearchParams(location.search).get("search");
if (asked !== null) {
  location.replace(`/inbox#${encodeURIComponent(asked)}`); // here a search needs no server
} else {
  document.documentElement.classList.add("scripted");
  words.value = decodeURIComponent(location.hash.slice(1));
  keys.checked = remembered();
  localize(document);
  filter();
  words.addEventListener("input", filter);
  keys.addEventListener("change", remember);
  find("search").addEventListener("submit", (event) => event.preventDefault());
  list.addEventListener("click", (event) => event.target.matches("button[data-copy]") && copy(event.target));
  document.addEventListener("keydown", pressed);
  document.addEventListener("visibilitychange", reopen); // a browser has few connections to one server: none for what nobody sees
  addEventListener("pagehide", close);
  addEventListener("pageshow", (event) => event.persisted && reopen());
  open();
}
