// The demo page: what a page of yours does with the widget, and what its server does with the token.
"use strict";

const message = document.getElementById("message");
const said = document.getElementById("said");
const exchange = document.getElementById("exchange");
const MESSAGES_ASKED_MAX = 20;

for (const place of document.querySelectorAll(".here")) {
  place.textContent = location.origin;
}

/** The message as it arrives on the visitor's phone; a page of yours cannot see it. */
async function showMessage(verificationId) {
  for (let asked = 0, cursor = ""; asked < MESSAGES_ASKED_MAX; asked++) {
    const answer = await fetch(`/inbox/messages?limit=1000&after=${encodeURIComponent(cursor)}`, { cache: "no-store" });
    const page = await answer.json();
    cursor = page.cursor;
    const mine = page.messages.find((one) => one.verification_id === verificationId);
    if (mine) {
      message.textContent = mine.text;
      return;
    }
    if (page.messages.length === 0) {
      await new Promise((resolve) => setTimeout(resolve, 250));
    }
  }
}

/** Your page gives the token to your server, and believes nothing but its answer. */
async function signIn(token) {
  const answer = await fetch("/demo/sign-in", { method: "POST", body: JSON.stringify({ token }) });
  const found = await answer.json();
  said.textContent = answer.ok ? `Signed in as ${found.phone_number}.` : `Not signed in: ${found.detail}`;
  exchange.textContent = [
    "POST /v1/verify/validate-token",
    "Authorization: Bearer sk_test_…",
    "",
    `{"token":"${token.slice(0, 16)}…"}`,
    "",
    `HTTP ${answer.status}`,
    JSON.stringify(found, null, 2),
  ].join("\n");
}

const widget = DoneOTP.init({
  apiKey: document.body.dataset.key,
  elementId: "verify",
  theme: { brand: "#10B981" },
  onSent: (sent) => showMessage(sent.verificationId),
  onVerified: (res) => signIn(res.token),
  onFailed: (err) => console.debug(err.code),
});

document.getElementById("restart").addEventListener("click", () => {
  widget.reset();
  message.textContent = "No message yet.";
  said.textContent = "Waits for the token.";
  exchange.textContent = "POST /v1/verify/validate-token";
});
