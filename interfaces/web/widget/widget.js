/*! DoneOTP widget. Apache-2.0. This is the source: there is no build step. */
// The token means nothing until your server validates it.
// @ts-check
"use strict";
{
const VERSION = "0.1.0";

/** @typedef {import("./widget").Options} Options */
/** @typedef {import("./widget").State} State */

// Calling code, first groups of a mobile number, regions, the main one first. Written by countries.py.
const COUNTRIES =
  "1.33USAGAIASBBBMBSCADMDOGDGUJMKNKYLCMPMSPRSXTCTTVCVGVI 7.332RUKZ 20.2EG 27.23ZA 30.33GR 31.1NL 32.322BE 33.1222FR 34.322ES 36.23HU 39.33ITVA 40.33RO 41.232CH 43.3AT 44.4GBGGIMJE 45.222DK 46.232SE 47.222NOSJ 48.33PL 49.4DE 51.33PE 52.33MX 53.1CU 54.124AR 55.25BR 56.14CL 57.3CO 58.3VE 60.23MY 61.33AUCCCX 62.33ID 63.33PH 64.23NZ 65.4SG 66.23TH 81.24JP 82.24KR 84.33VN 86.34CN 90.332TR 91.5IN 92.3PK 93.23AF 94.23LK 95.13MM 98.33IR 211.33SS 212.1222MAEH 213.322DZ 216.23TN 218.2LY 220.3GM 221.232SN 222.222MR 223.222ML 224.322GN 225.222CI 226.222BF 227.222NE 228.222TG 229.2222BJ 230.4MU 231.23LR 232.2SL 233.23GH 234.33NG 235.222TD 236.222CF 237.1222CM 238.32CV 239.3ST 240.33GQ 241.222GA 242.23CG 243.33CD 244.33AO 245.33GW 246.3IO 247.AC 248.13SC 249.23SD 250.33RW 251.23ET 252.1SO 253.222DJ 254.3KE 255.33TZ 256.3UG 257.222BI 258.23MZ 260.2ZM 261.223MG 262.322REYT 263.23ZW 264.23NA 265.322MW 266.4LS 267.23BW 268.4SZ 269.32KM 290.SHTA 291.13ER 297.3AW 298.22FO 299.22GL 350.GI 351.33PT 352.33LU 353.23IE 354.3IS 355.23AL 356.4MT 357.2CY 358.2FIAX 359.23BG 370.3LT 371.23LV 372.4EE 373.32MD 374.2AM 375.232BY 376.3AD 377.1222MC 378.222SM 380.23UA 381.2RS 382.23ME 383.23XK 385.23HR 386.23SI 387.23BA 389.23MK 420.33CZ 421.33SK 423.33LI 500.FK 501.3BZ 502.4GT 503.4SV 504.4HN 505.4NI 506.4CR 507.4PA 508.22PM 509.22HT 590.322GPBLMF 591.BO 592.3GY 593.23EC 594.322GF 595.3PY 596.322MQ 597.3SR 598.23UY 599.13CWBQ 670.4TL 672.1NF 673.3BN 674.3NR 675.4PG 676.3TO 677.2SB 678.3VU 679.3FJ 680.3PW 681.22WF 682.2CK 683.3NU 685.2WS 686.KI 687.22NC 688.2TV 689.222PF 690.TK 691.3FM 692.3MH 850.33KP 852.4HK 853.4MO 855.23KH 856.223LA 880.4BD 886.33TW 960.3MV 961.23LB 962.14JO 963.33SY 964.33IQ 965.3KW 966.23SA 967.33YE 968.4OM 970.33PS 971.23AE 972.23IL 973.4BH 974.4QA 975.222BT 976.4MN 977.3NP 992.23TJ 993.2TM 994.232AZ 995.322GE 996.33KG 998.232UZ";

const LANGUAGES = "en ar de es fr he hi id it ja ko nl pl pt ru tr uk zh".split(" ");

/** What is said. A language's file has the same sentences in the same order. */
const ENGLISH = {
  country: "Country",
  phone: "Phone number",
  send: "Send code",
  sending: "Sending…",
  sent: "We sent a code to {n}.",
  code: "Code from the message",
  verify: "Verify",
  checking: "Checking…",
  again: "Send a new code",
  wait: "You can ask for a new code in {t}.",
  back: "Change number",
  verified: "Your phone number is verified.",
  retry: "Try again",
  resume: "Enter your number again, then the code you were sent.",
  number: "This is not a valid phone number. Check the country and the digits.",
  digits: "Enter all the digits of the code.",
  wrong: "This code is not right. Attempts left: {n}.",
  exhausted: "Too many wrong codes. Ask for a new code to go on.",
  locked: "Too many wrong codes for this number. You can try again in {t}.",
  limit: "Too many messages for now. You can try again in {t}.",
  expired: "This code is no longer valid. Ask for a new one.",
  other: "The code was sent to another number.",
  refused: "This number cannot be used here. Use another one.",
  abroad: "Numbers of this country cannot be used here. Use another one.",
  setup: "Phone verification does not work on this page right now.",
  offline: "There is no connection. Check your network, then try again.",
  server: "Something went wrong. Try again in a moment.",
};
/** @typedef {keyof typeof ENGLISH} Sentence */

/** Which sentence explains which error codes. */
const SENTENCE_OF = new Map();
for (const line of `number invalid_phone_number
digits invalid_code_format
wrong wrong_code
exhausted attempts_exhausted
locked number_locked
wait resend_cooldown
refused number_blocklisted number_not_allowlisted destination_blocked
abroad country_not_enabled destination_unsupported
expired verification_not_found code_expired already_verified verification_cancelled
server payload_too_large malformed_json state_conflict idempotency_key_reused
offline network_error`.split("\n")) {
  const [sentence, ...codes] = line.split(" ");
  for (const code of codes) SENTENCE_OF.set(code, sentence);
}

const STYLES = `
:host{display:block;text-align:start;--radius:8px}
[hidden]{display:none!important}
.card{--bg:#fff;--fg:#1a1d21;--soft:#565e69;--line:#7b838d;--bad:#b3261e;--ink:var(--light-ink);
box-sizing:border-box;position:relative;max-width:26rem;padding:1.25rem;display:grid;gap:.5rem;align-content:start;
min-height:20rem;background:var(--bg);color:var(--fg);border:1px solid #8885;border-radius:calc(var(--radius)*1.5);
font-size:max(1rem,16px);line-height:1.5;overflow-wrap:anywhere}
@supports (color:light-dark(#000,#fff)){.card{--bg:light-dark(#fff,#16191d);--fg:light-dark(#1a1d21,#e8eaed);
--soft:light-dark(#565e69,#a6afba);--line:light-dark(#7b838d,#77808b);--bad:light-dark(#b3261e,#ffb4ab);
--ink:light-dark(var(--light-ink),var(--dark-ink))}}
.waiting{visibility:hidden}
.step{display:grid;gap:.25rem}
p{margin:0}
::slotted(*){font:inherit!important;margin:0!important;box-sizing:border-box!important}
::slotted(label){color:inherit!important;font-weight:600!important;display:block!important;padding:.25rem 0 0!important}
.field{display:flex;align-items:center;border:1px solid var(--line);border-radius:var(--radius)}
.field:focus-within,button:focus-visible{outline:3px solid var(--ink);outline-offset:2px}
.bad .field:last-child{border-color:var(--bad);box-shadow:0 0 0 1px var(--bad)}
.prefix{padding-left:.75rem;flex:none}
::slotted(input),::slotted(select){width:100%!important;min-width:0!important;min-height:2.75rem!important;
padding:0 .75rem!important;border:0!important;border-radius:var(--radius)!important;outline:0!important;box-shadow:none!important;
background:var(--bg)!important;color:inherit!important}
.code ::slotted(input){letter-spacing:.3em!important;font-size:1.35em!important}
::slotted(p){min-height:1.5em!important;color:var(--bad)!important}
button{min-height:2.75rem;padding:.4rem;border:2px solid transparent;border-radius:var(--radius);font:inherit;
font-weight:600;cursor:pointer;background:none;color:var(--ink);text-decoration:underline}
.main{background:var(--brand);color:var(--on-brand);text-decoration:none}
.more button{padding:0}
.more{display:flex;flex-wrap:wrap;gap:0 1rem;justify-content:space-between}
[aria-disabled=true]{cursor:default;opacity:.8}
.more [aria-disabled=true],.soft,.prefix{color:var(--soft);text-decoration:none}
.end{display:grid;gap:.75rem;justify-items:center;text-align:center;padding-top:1.5rem;outline:0}
.mark{width:3.5rem;height:3.5rem;border-radius:50%;border:3px solid;color:var(--bad);display:grid;place-items:center}
.mark::before{content:"";width:.3rem;height:1.5rem;background:currentColor}
.verified .mark{color:var(--ink)}
.verified .mark::before{width:.8rem;background:none;border:solid;border-width:0 .25rem .25rem 0;rotate:40deg;translate:0 -.15rem}
.spin::before{content:"";display:inline-block;width:.8em;height:.8em;margin-inline-end:.6em;border-radius:50%;
border:2px solid;border-inline-end-color:transparent;animation:turn .8s linear infinite}
@keyframes turn{to{transform:rotate(1turn)}}
@media (prefers-reduced-motion:reduce){.spin::before{animation:none}}
@media (forced-colors:active){.mark::before{forced-color-adjust:none;color:CanvasText}}
.live{position:absolute;inset:0;clip-path:inset(50%)}`;

const REQUEST_MS_MAX = 20000;
const TEXTS_MS_MAX = 3000;
const PHONE_DIGITS_MAX = 18;
const CODE_DIGITS_MAX = 10;
const DEFAULT_BRAND = "#10b981";
const INTERNATIONAL = /^\s*(\+|00)/;

const browser = typeof document === "object";
const script = browser && /** @type {any} */ (document.currentScript);
const ORIGIN = browser && new URL(script?.src || location).origin;

/** @type {WeakMap<Element, Widget>} */
const widgets = new WeakMap();

const countries = new Map();
for (const [, code, groups, regions] of COUNTRIES.matchAll(/(\d+)\.(\d*)([A-Z]+)/g)) {
  for (const region of regions.match(/../g) || []) countries.set(region, { region, code, groups: [...groups].map(Number) });
}

/** Once the digits of an international number tell. */
function countryOf(digits, current) {
  const found = [countries.get(current), ...countries.values()];
  return found.find((country) => country && digits.startsWith(country.code));
}

/** Digits of any script as ASCII, and the full-width plus as a plus. */
function ascii(text) {
  return text.replace(/＋/g, "+").replace(/\p{Nd}/gu, (digit) => {
    let zero = digit.codePointAt(0);
    while (/\p{Nd}/u.test(String.fromCodePoint(zero - 1))) zero--; // the digits of a script stand in a row, by tens
    return (digit.codePointAt(0) - zero) % 10;
  });
}

const digitsIn = (text) => ascii(text).replace(/[^0-9]/g, "");

/** Digits in groups of these sizes, then the rest. A trunk zero belongs to the first. */
function grouped(digits, sizes) {
  let at = digits[0] === "0" ? 1 : 0;
  const ends = sizes.map((size) => (at += size)).filter((end) => end < digits.length);
  return [...ends, digits.length].map((end, index) => digits.slice(index && ends[index - 1], end)).join(" ");
}

/** A colour as #rrggbb, as the browser reads it, or the default. */
function hex(colour) {
  const context = /** @type {CanvasRenderingContext2D} */ (make("canvas").getContext("2d"));
  context.fillStyle = DEFAULT_BRAND;
  context.fillStyle = String(colour);
  return context.fillStyle[0] === "#" ? context.fillStyle : DEFAULT_BRAND;
}

const channels = (colour) => [1, 3, 5].map((at) => parseInt(colour.slice(at, at + 2), 16));

/** Contrast ratio of two colours, 1 to 21 (WCAG 2.2). */
function contrast(...colours) {
  const [light, dark] = colours
    .map((colour) => {
      const [r, g, b] = channels(colour).map((value) => (value > 10 ? ((value / 255 + 0.055) / 1.055) ** 2.4 : value / 3294.6));
      return 0.2126 * r + 0.7152 * g + 0.0722 * b + 0.05;
    })
    .sort((one, other) => other - one);
  return light / dark;
}

/** The colour, moved towards `pole` until it can be read on `ground`. */
function readable(colour, ground, pole) {
  const step = (value) => Math.round(value + (pole - value) / 16).toString(16).padStart(2, "0");
  while (contrast(colour, ground) < 4.6) colour = "#" + channels(colour).map(step).join("");
  return colour;
}

function themed({ brand, scheme }) {
  const colour = hex(brand);
  return `:host{${/^(light|dark)$/.test(scheme) ? "color-scheme:" + scheme : ""};--brand:${colour};--on-brand:${
    contrast(colour, "#ffffff") < 4.5 ? "#000" : "#fff"};--light-ink:${
    readable(colour, "#ffffff", 0)};--dark-ink:${readable(colour, "#16191d", 255)}}`;
}

function sheet(text) {
  const made = new CSSStyleSheet();
  made.replaceSync(text);
  return made;
}

/**
 * @template {keyof HTMLElementTagNameMap} Tag
 * @param {Tag} tag @param {Record<string, unknown>} [attributes] @param {...(Node | string)} children
 */
function make(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const name in attributes) made.setAttribute(name, String(attributes[name]));
  made.append(...children);
  return made;
}

const button = (more) => make("button", { type: "button", ...more });
const slot = (name) => make("slot", { name });

const unique = () => Array.from(crypto.getRandomValues(new Uint32Array(4)), (part) => part.toString(36)).join("");

/** The wait in words. */
function duration(lang, ms) {
  const seconds = Math.max(1, Math.ceil(ms / 1000));
  const [unit, size] = seconds < 120 ? ["second", 1] : seconds < 7200 ? ["minute", 60] : ["hour", 3600];
  return new Intl.NumberFormat(lang, { style: "unit", unit, unitDisplay: "long" }).format(Math.ceil(seconds / size));
}

/** The language asked for, the page's, or the visitor's. */
function language(asked) {
  const wanted = asked ? [asked] : [document.documentElement.lang, ...navigator.languages];
  return wanted.map((one) => String(one).toLowerCase().split("-")[0]).find((one) => LANGUAGES.includes(one)) || "en";
}

function serverAt(given) {
  try {
    const { protocol, origin } = new URL(given);
    return /^https?:/.test(protocol) ? origin : ORIGIN;
  } catch {
    return ORIGIN;
  }
}

class Widget {
  /** @param {HTMLElement} element @param {Options} options */
  constructor(element, options) {
    this.element = element;
    this.options = options;
    this.server = serverAt(options.baseUrl);
    this.lang = language(options.lang);
    this.codeLength = Math.min(CODE_DIGITS_MAX, Math.max(4, Math.trunc(Number(options.codeLength)) || 6));
    this.place = `doneotp:${location.pathname}:${element.id}`;
    this.texts = ENGLISH;
    /** @type {State} */
    this.state = "phone";
    this.turn = 0; // what was asked before a reset is answered to nobody
    this.engaged = false; // the focus is moved only once the visitor has done something
    this.asked = this.once = this.shown = "";
    this.abort = this.deaf = new AbortController();
    this.again = this.expires = this.until = 0;
    this.forget();

    const key = unique();
    const id = (name) => `doneotp-${name}-${key}`;
    const input = (name, more) =>
      make("input", { slot: name, id: id(name), dir: "ltr", "aria-describedby": id("error"), ...more });
    this.country = make("select", { slot: "country", id: id("country"), autocomplete: "tel-country-code" });
    this.phone = input("phone", { type: "tel", autocomplete: "tel" });
    this.code = input("code", { type: "text", inputmode: "numeric", autocomplete: "one-time-code" });
    this.error = make("p", { slot: "error", id: id("error"), role: "alert" });
    this.labels = ["country", "phone", "code"].map((name) => make("label", { slot: name + "-label", for: id(name) }));

    this.prefix = make("span", { class: "prefix", "aria-hidden": true });
    this.hint = make("p", { class: "soft" });
    this.numberStep = make("div", { class: "step" }, slot("country-label"), make("div", { class: "field" }, slot("country")),
      slot("phone-label"), make("div", { class: "field", dir: "ltr" }, this.prefix, slot("phone")));
    this.codeStep = make("div", { class: "step code" }, slot("code-label"), make("div", { class: "field", dir: "ltr" }, slot("code")));
    this.problem = slot("error");
    this.sentence = make("p");
    this.end = make("div", { class: "end", tabindex: -1 }, make("div", { class: "mark" }), this.sentence);
    this.main = button({ class: "main", part: "button" });
    this.timer = make("p", { class: "soft" });
    this.resend = button();
    this.back = button();
    this.more = make("div", { class: "more" }, this.resend, this.back);
    this.live = make("p", { class: "live", role: "status" });
    this.card = make("div", { class: "card waiting", part: "card" }, this.hint, this.numberStep, this.codeStep, this.problem,
      this.end, this.main, this.timer, this.more, this.live);

    /** @type {HTMLElement} */
    this.host = element;
    try {
      this.root = element.shadowRoot || element.attachShadow({ mode: "open" });
    } catch {
      this.host = element.appendChild(make("div")); // an element that may have no inside of its own
      this.root = this.host.attachShadow({ mode: "open" });
    }
    this.root.adoptedStyleSheets = [sheet(STYLES), sheet(themed(/** @type {any} */ (options.theme || {})))];
    this.root.replaceChildren(this.card);
    this.light = [...this.labels, this.country, this.phone, this.code, this.error];
    this.host.append(...this.light);
    element.dataset.state = this.state;
    this.attend();
    this.clock = setInterval(() => this.tick(), 1000);
    this.begin();
  }

  /** Nothing is known: no verification, no waiting. Moments are in ms. */
  forget() {
    this.id = this.sentTo = this.tried = "";
    this.waiting = this.ending = "wait"; // sentences
    this.again = this.expires = this.until = 0; // when: a new code may be asked for, this one ends, the number opens again
  }

  attend() {
    this.main.onclick = () => this.act();
    this.resend.onclick = () => this.resend.ariaDisabled === "true" || this.send();
    this.back.onclick = () => this.goBack();
    this.country.onchange = () => this.regroup();
    this.phone.oninput = (event) => this.phoneTyped(event);
    this.code.oninput = (event) => this.codeTyped(event);
    this.phone.onkeydown = this.code.onkeydown = (event) => {
      if (event.key !== "Enter" || event.isComposing) return;
      event.preventDefault(); // a form around us is not ours to submit
      this.act();
    };
  }

  async begin() {
    await this.learn();
    if (widgets.get(this.element) !== this) return;
    this.host.lang = this.lang;
    this.host.dir = /ar|he/.test(this.lang) ? "rtl" : "ltr";
    const { texts, lang } = this;
    this.labels.forEach((label, at) => (label.textContent = [texts.country, texts.phone, texts.code][at]));
    this.back.textContent = texts.back;
    this.resend.textContent = texts.again;
    const names = new Intl.DisplayNames([lang], { type: "region" });
    const named = [...countries.values()].map(({ region, code }) => ({ region, text: `${names.of(region)} \u2066+${code}\u2069` }));
    named.sort((one, other) => one.text.localeCompare(other.text, lang));
    this.country.append(...named.map(({ region, text }) => make("option", { value: region }, text)));
    const likely = [this.options.country, ...[...navigator.languages, lang].map((tag) => new Intl.Locale(tag).maximize().region), "US"];
    this.country.value = likely.map((one) => String(one).toUpperCase()).find((one) => countries.has(one)) || "";
    this.regroup();
    this.restore();
    this.render();
  }

  /** Without the sentences of its language it is English. */
  async learn() {
    if (this.lang === "en") return;
    const late = setTimeout(() => this.abort.abort(), TEXTS_MS_MAX);
    try {
      const answer = await fetch(`${this.server}/widget/${VERSION}/${this.lang}.json`, { credentials: "omit", signal: this.abort.signal });
      const texts = await answer.json();
      this.texts = /** @type {any} */ (Object.fromEntries(Object.keys(ENGLISH).map((name, at) => [name, texts[at].trim()])));
    } catch {
      this.lang = "en";
    }
    clearTimeout(late);
  }

  /** What was typed behind the calling code. The server knows about trunk zeros. */
  number() {
    const digits = digitsIn(this.phone.value);
    if (INTERNATIONAL.test(this.phone.value)) return "+" + digits.replace(/^00/, "");
    return digits && this.prefix.textContent + digits;
  }

  regroup() {
    const { code, groups } = countries.get(this.country.value);
    this.prefix.textContent = "+" + code;
    if (!INTERNATIONAL.test(this.phone.value)) this.phone.value = grouped(digitsIn(this.phone.value), groups);
  }

  phoneTyped(event) {
    if (event.isComposing) return;
    const text = ascii(this.phone.value);
    let before = digitsIn(text.slice(0, this.phone.selectionStart ?? text.length)).length;
    let digits = digitsIn(text).slice(0, PHONE_DIGITS_MAX);
    if (digits === this.shown && event.inputType === "deleteContentBackward") {
      digits = digits.slice(0, Math.max(0, --before)) + digits.slice(before + 1); // a space: its digit was meant
    }
    const abroad = INTERNATIONAL.exec(text);
    if (abroad) {
      const skipped = abroad[1] === "+" ? 0 : 2;
      const country = countryOf(digits.slice(skipped), this.country.value);
      if (!country) return;
      this.country.value = country.region;
      digits = digits.slice(skipped + country.code.length);
      before -= skipped + country.code.length;
    }
    this.phone.value = this.shown = digits;
    this.regroup();
    let at = 0; // the caret stands behind as many digits as before
    for (; before > 0 && at < this.phone.value.length; at++) if (this.phone.value[at] !== " ") before--;
    if (document.activeElement === this.phone) this.phone.setSelectionRange(at, at);
    this.complain();
    if (this.state === "phone") this.until = 0; // the wait was for another number
    this.tick();
  }

  codeTyped(event) {
    if (event.isComposing) return;
    const digits = digitsIn(this.code.value).slice(0, CODE_DIGITS_MAX);
    this.code.value = digits;
    if (digits === this.tried) return;
    this.complain();
    if (digits.length === this.codeLength && this.number()) this.check();
  }

  act() {
    if (this.main.ariaDisabled === "true") return;
    if (this.state === "code") this.check();
    else if (this.state === "phone" || (this.ending === "exhausted" && this.sentTo)) this.send();
    else this.reset();
  }

  /** Back to the first step; the number stays. */
  goBack() {
    this.tried = this.code.value = "";
    this.complain();
    this.enter("phone");
  }

  async send() {
    const number = this.number();
    const from = this.state === "code" ? "code" : "phone";
    this.engaged = true;
    if (!number) return this.complain("number", this.phone);
    if (from === "phone" && this.id && number === this.sentTo && Date.now() < this.again) return this.enter("code");
    this.complain();
    this.enter("sending");
    const host = location.hostname;
    const bound = isSecureContext && /^([a-z0-9-]+\.)+[a-z]{2,}$/.test(host) ? host : undefined;
    try {
      const given = { phone_number: number, locale: this.lang, web_origin: bound };
      const answer = await this.call("send", given).catch(async (failure) => {
        const { turn } = this;
        const { challenge } = failure;
        if (!challenge) throw failure;
        const { solve } = await import(this.server + challenge.script);
        const solved = { ...given, challenge_response: await solve(challenge) };
        if (turn !== this.turn) return new Promise(() => {});
        return this.call("send", solved);
      });
      const { verification_id: verificationId, expires_in: expiresIn, resend_in: resendIn } = answer;
      const now = Date.now();
      this.forget();
      this.id = verificationId;
      this.sentTo = number;
      this.again = now + resendIn * 1000;
      this.expires = now + expiresIn * 1000;
      this.code.value = "";
      this.keep();
      this.enter("code");
      this.live.textContent = this.hint.textContent;
      this.tell("sent", "onSent", { verificationId, expiresIn, resendIn });
    } catch (failure) {
      this.refuse(failure, from);
    }
  }

  async check() {
    const number = this.number();
    const code = digitsIn(this.code.value);
    this.engaged = true;
    if (!number) return this.complain("number", this.phone);
    if (code.length < 4) return this.complain("digits", this.code);
    this.tried = code;
    this.complain();
    this.enter("checking");
    try {
      const verificationId = this.id;
      const { status, token } = await this.call("check", { phone_number: number, code, verification_id: verificationId });
      this.forget();
      this.keep();
      this.code.value = "";
      this.enter("verified");
      this.tell("verified", "onVerified", { status, token, verificationId });
    } catch (failure) {
      this.refuse(failure, "code");
    }
  }

  /**
   * One call to the server. The same request, repeated after silence, has the same Idempotency-Key: no second message or
   * attempt. Throws what a Failure says; never comes back to a widget that was reset in the meantime.
   */
  async call(name, given) {
    const turn = ++this.turn;
    const body = JSON.stringify(given);
    if (this.asked !== name + body) [this.asked, this.once] = [name + body, unique()];
    const abort = (this.abort = new AbortController());
    const late = setTimeout(() => abort.abort(), REQUEST_MS_MAX);
    let failure;
    try {
      const answer = await fetch(`${this.server}/v1/verify/${name}`, {
        method: "POST",
        credentials: "omit",
        cache: "no-store",
        redirect: "error",
        signal: abort.signal,
        headers: { Authorization: "Bearer " + this.options.apiKey, "Content-Type": "application/json", "Idempotency-Key": this.once },
        body,
      });
      const { status, headers } = answer;
      failure = await answer.json();
      if (status < 500) this.asked = "";
      if (!answer.ok) {
        const { code, detail, attempts_left: attemptsLeft, challenge } = failure;
        const retryAfter = Number(headers.get("Retry-After")) || undefined;
        failure = { code, status, detail, attemptsLeft, retryAfter, challenge, requestId: headers.get("X-Request-Id") };
      }
    } catch {
      failure = await this.silence();
    }
    clearTimeout(late);
    if (turn !== this.turn) return new Promise(() => {});
    if (failure.code) throw failure;
    return failure;
  }

  /** Why there was no answer that we may read: no connection, or a page or key unknown to the server. */
  async silence() {
    try {
      await fetch(this.server + "/healthz", { mode: "no-cors", credentials: "omit", cache: "no-store" });
      return { code: "origin_not_allowed", status: 0, detail: `No such key, or ${location.origin} is not one of its origins.` };
    } catch {
      return { code: "network_error", status: 0, detail: "The server could not be reached." };
    }
  }

  refuse(failure, from) {
    const { code, status, retryAfter = 0, attemptsLeft } = failure;
    const wait = Date.now() + retryAfter * 1000;
    const sending = this.state === "sending";
    let sentence = SENTENCE_OF.get(code) || (status === 429 ? "limit" : status < 500 ? "setup" : "server");
    if (attemptsLeft === 0) sentence = "exhausted";
    if (code === "verification_not_found" && !this.sentTo) sentence = "other";
    const final = ["locked", "exhausted", "setup"].includes(sentence);
    const words = this.say(sentence, { n: attemptsLeft, t: duration(this.lang, retryAfter * 1000) });
    if (sentence === "expired") this.again = this.expires = 0;
    if (sentence === "wait" || (sentence === "limit" && sending)) {
      this.waiting = sentence;
      if (from === "code") this.again = wait;
      else this.until = wait;
    }
    if (final) {
      this.ending = sentence;
      this.until = sentence === "locked" ? wait : 0;
      this.id = this.code.value = "";
    }
    this.keep();
    this.enter(sentence === "setup" ? "failed" : final ? "locked" : from);
    if (!final) this.complain(sentence, sentence === "other" || from === "phone" ? this.phone : this.code, words);
    this.tell("failed", "onFailed", Object.assign(new Error(words), failure, { final }));
  }

  /** A sentence with its figures. */
  say(name, figures = {}) {
    return this.texts[name].replace(/\{(\w)\}/g, (_, figure) => figures[figure]);
  }

  /** Show what is wrong with a field, or nothing. */
  complain(sentence = "", field = this.card, words = "") {
    this.error.textContent = words || (sentence && this.say(sentence));
    for (const [one, step] of /** @type {const} */ ([[this.phone, this.numberStep], [this.code, this.codeStep]])) {
      one.ariaInvalid = String(field === one);
      step.classList.toggle("bad", field === one);
    }
    if (sentence && this.engaged) field.focus();
    if (field === this.code) this.code.select();
  }

  /** @param {State} state */
  enter(state) {
    const previous = this.state;
    this.state = this.element.dataset.state = state;
    this.render();
    if (state === previous) return;
    this.deaf.abort();
    if (state === "code") this.listen();
    if (this.engaged && !this.busy) (state === "phone" || (state === "code" && !this.sentTo) ? this.phone : state === "code" ? this.code : this.end).focus();
    this.tell("statechange", "onStateChange", { state, previous });
  }

  get busy() {
    return /ing$/.test(this.state);
  }

  render() {
    const { state, busy } = this;
    const ended = /ed$/.test(state);
    const coding = !ended && state !== "phone" && this.id !== "";
    const unknown = coding && !this.sentTo;
    this.card.className = "card " + state;
    this.hint.textContent = unknown ? this.texts.resume : this.say("sent", { n: `\u2066${this.prefix.textContent} ${this.phone.value}\u2069`.replace(/ /g, "\xa0") });
    this.hint.hidden = this.codeStep.hidden = this.more.hidden = !coding;
    this.numberStep.hidden = ended || (coding && !unknown);
    this.end.hidden = !ended;
    this.problem.hidden = ended;
    this.phone.readOnly = this.code.readOnly = this.country.disabled = busy;
    this.main.classList.toggle("spin", busy);
    this.tick();
  }

  /** Everything that time changes. */
  tick() {
    const { state, texts, busy } = this;
    const now = Date.now();
    const inWords = (name, moment) => this.say(name, { t: duration(this.lang, moment - now) });
    if (state === "code" && this.expires && now >= this.expires) {
      this.again = this.expires = 0;
      this.complain("expired", this.code);
    }
    const exhausted = state === "locked" && this.ending === "exhausted";
    const early = now < this.again;
    const closed = now < this.until;
    const next = state === "phone" ? "send" : state === "code" ? "verify" : busy ? state : exhausted ? "again" : "retry";
    this.main.textContent = texts[next];
    this.main.ariaDisabled = String(busy || (state === "phone" ? closed : exhausted && early));
    this.main.hidden = state === "verified" || (state === "locked" && !exhausted);
    if (this.resend.ariaDisabled === "true" && !early && state === "code") this.live.textContent = texts.again;
    this.resend.ariaDisabled = String(busy || early);
    this.timer.textContent = early && (exhausted || state === "code") ? inWords(this.waiting, this.again)
      : closed && state === "phone" ? inWords(this.waiting, this.until) : "";
    this.sentence.textContent = state === "verified" ? texts.verified : state === "failed" ? texts.setup
      : exhausted ? texts.exhausted : inWords("locked", this.until);
    if (state === "locked" && !exhausted && !closed) this.reset();
  }

  /** Ask the browser for the code of the message that comes (WebOTP), where it can. */
  listen() {
    if (!("OTPCredential" in window)) return;
    this.deaf = new AbortController();
    const request = /** @type {any} */ ({ otp: { transport: ["sms"] }, signal: this.deaf.signal });
    navigator.credentials.get(request).then((/** @type {any} */ found) => {
      this.code.value = found.code;
      this.codeTyped({});
    }, () => {}); // refused: the field is there
  }

  tell(event, callback, detail) {
    this.element.dispatchEvent(new CustomEvent("doneotp:" + event, { bubbles: true, composed: true, detail }));
    try {
      this.options[callback]?.(detail);
    } catch (error) {
      console.error(error); // the page's own, and it stops nothing here
    }
  }

  /** What outlives a reload: the verification's id and the moments that belong to it. No number, no code, no token. */
  keep() {
    const { id, again, expires } = this;
    const until = this.ending === "locked" && this.until;
    try {
      if (id || until) sessionStorage.setItem(this.place, JSON.stringify({ id, again, expires, until }));
      else sessionStorage.removeItem(this.place);
    } catch {
      // storage may be off
    }
  }

  restore() {
    try {
      const { id, again, expires, until } = JSON.parse(sessionStorage.getItem(this.place) || "{}");
      if (id && expires > Date.now()) {
        Object.assign(this, { id: String(id), again: +again, expires: +expires });
        this.enter("code");
      } else if (until > Date.now()) {
        this.until = +until;
        this.ending = "locked";
        this.enter("locked");
      }
    } catch {
      // nothing that we wrote
    }
  }

  reset() {
    this.turn++;
    this.abort.abort();
    this.forget();
    this.keep();
    this.phone.value = "";
    this.goBack();
  }

  destroy() {
    widgets.delete(this.element);
    this.turn++;
    this.abort.abort();
    this.deaf.abort();
    clearInterval(this.clock);
    for (const node of this.light) node.remove();
    this.root.adoptedStyleSheets = [];
    this.root.replaceChildren(make("slot"));
    if (this.host !== this.element) this.host.remove();
    for (const name of ["lang", "dir", "data-state"]) this.element.removeAttribute(name);
  }
}

/** @param {HTMLElement} element @param {Options} options */
function install(element, options) {
  widgets.get(element)?.destroy();
  const widget = new Widget(element, options);
  widgets.set(element, widget);
  return widget;
}

const DoneOTP = {
  version: VERSION,
  /** Put a widget into an element. A second one replaces the first. @param {Options} options */
  init(options) {
    /** @type {Widget | undefined} */
    let widget;
    let gone = !browser;
    const find = () => /** @type {any} */ (typeof options.elementId === "string" ? document.getElementById(options.elementId) : options.elementId);
    const begin = () => {
      if (gone) return;
      const element = find();
      if (!element) throw new TypeError("DoneOTP.init: no element has the id that elementId names.");
      widget = install(element, options);
    };
    if (!gone && document.readyState === "loading" && !find()) addEventListener("DOMContentLoaded", begin);
    else begin();
    return {
      get state() {
        return widget ? widget.state : "phone";
      },
      reset: () => widget?.reset(),
      destroy() {
        gone = true;
        widget?.destroy();
      },
    };
  },
};

if (browser) {
  Object.assign(globalThis, { DoneOTP });
  customElements.get("done-otp") || customElements.define("done-otp", class extends HTMLElement {
    connectedCallback() {
      const [apiKey, country, lang, baseUrl, codeLength, brand, scheme] =
        ["api-key", "country", "lang", "base-url", "code-length", "brand", "scheme"].map((name) => this.getAttribute(name) ?? undefined);
      install(this, /** @type {any} */ ({ apiKey, country, lang, baseUrl, codeLength, theme: { brand, scheme } }));
    }
    disconnectedCallback() {
      widgets.get(this)?.destroy();
    }
  });
}
if (typeof module === "object") module.exports = DoneOTP;
}
