/*! DoneOTP challenges. Apache-2.0. Loaded by the widget only when its server asks for one. */
// @ts-check

const SLICE_MS = 16; // between two of them the page may breathe

/** The first bits of the square or cube roots of the first primes (FIPS 180-4), as its constants are defined. */
const PRIMES = [];
for (let candidate = 2; PRIMES.length < 64; candidate++) if (PRIMES.every((prime) => candidate % prime)) PRIMES.push(candidate);
const fraction = (root) => ((root - Math.floor(root)) * 2 ** 32) | 0;
const K = Int32Array.from(PRIMES, (prime) => fraction(Math.cbrt(prime)));
const START = Int32Array.from(PRIMES.slice(0, 8), (prime) => fraction(Math.sqrt(prime)));
const W = new Int32Array(64);

/** One block of SHA-256, which is in the first sixteen words of W. @param {Int32Array} state */
function compress(state) {
  for (let t = 16; t < 64; t++) {
    const x = W[t - 15], y = W[t - 2];
    W[t] = (W[t - 16] + W[t - 7] + (((x >>> 7) | (x << 25)) ^ ((x >>> 18) | (x << 14)) ^ (x >>> 3)) +
      (((y >>> 17) | (y << 15)) ^ ((y >>> 19) | (y << 13)) ^ (y >>> 10))) | 0;
  }
  let [a, b, c, d, e, f, g, h] = state;
  for (let t = 0; t < 64; t++) {
    const one = (h + (((e >>> 6) | (e << 26)) ^ ((e >>> 11) | (e << 21)) ^ ((e >>> 25) | (e << 7))) + ((e & f) ^ (~e & g)) + K[t] + W[t]) | 0;
    const two = ((((a >>> 2) | (a << 30)) ^ ((a >>> 13) | (a << 19)) ^ ((a >>> 22) | (a << 10))) + ((a & b) ^ (a & c) ^ (b & c))) | 0;
    h = g; g = f; f = e; e = (d + one) | 0; d = c; c = b; b = a; a = (one + two) | 0;
  }
  [a, b, c, d, e, f, g, h].forEach((word, at) => (state[at] += word));
}

/** SHA-256 of ASCII, as words. @param {string} text */
export function digest(text) {
  const state = START.slice();
  const blocks = Math.ceil((text.length + 9) / 64);
  for (let block = 0; block < blocks; block++) {
    for (let at = 0; at < 16; at++) {
      W[at] = 0;
      for (let byte = 0; byte < 4; byte++) {
        const place = block * 64 + at * 4 + byte;
        W[at] = (W[at] << 8) | (place < text.length ? text.charCodeAt(place) : place === text.length ? 128 : 0);
      }
    }
    if (block === blocks - 1) W[15] = text.length * 8;
    compress(state);
  }
  return state;
}

/** The number whose hash behind the token's begins with so many zero bits. */
async function work({ token, bits }) {
  const seed = digest(token);
  const state = new Int32Array(8);
  for (let number = 0, since = performance.now(); ; number++) {
    W.fill(0, 8, 16);
    W.set(seed);
    W[9] = number;
    W[10] = 1 << 31;
    W[15] = 320;
    state.set(START);
    compress(state);
    if (Math.clz32(state[0]) >= bits) return `${token}.${number}`;
    if (number % 256 === 0 && performance.now() - since > SLICE_MS) {
      await new Promise((resume) => setTimeout(resume));
      since = performance.now();
    }
  }
}

/** Somebody else's challenge, in a dialog over the page. The page's policy has to allow their script and frame. */
function ask({ kind, api, site_key: sitekey }) {
  const dialog = document.createElement("dialog");
  const place = document.createElement("div");
  dialog.append(place);
  document.body.append(dialog);
  return new Promise((resolve, reject) => {
    dialog.oncancel = reject;
    const show = () => {
      dialog.showModal();
      globalThis[kind].render(place, { sitekey, callback: resolve, "error-callback": reject, "expired-callback": reject });
    };
    if (globalThis[kind]) return show();
    const script = document.createElement("script");
    script.onload = show;
    script.onerror = reject;
    script.src = api;
    document.head.append(script);
  }).finally(() => dialog.remove());
}

/** What answers a challenge, for `challenge_response`. */
export const solve = (challenge) => (challenge.kind === "pow" ? work(challenge) : ask(challenge));
