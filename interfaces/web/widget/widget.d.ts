/** The DoneOTP widget: what a page gives it and what it says. */

/** Also on the element as `data-state`. */
export type State = "phone" | "sending" | "code" | "checking" | "verified" | "locked" | "failed";

export interface Options {
  /** A public key, `pk_…`, whose origins include the page's. */
  apiKey: string;
  /** The id of the element to fill, or the element. */
  elementId: string | HTMLElement;
  theme?: {
    /** Any opaque CSS colour. What is written on it, or in it, is made readable. */
    brand?: string;
    /** Without it the widget follows the page's `color-scheme`. */
    scheme?: "light" | "dark";
  };
  /** The language; without it the page's, then the visitor's. */
  lang?: string;
  /** ISO 3166 code of the country to begin with; without it the visitor's. */
  country?: string;
  /** Where the server is, for a page that keeps its own copy of the script. */
  baseUrl?: string;
  /** How many digits a code has by the account's policy; 6 unless told. */
  codeLength?: number;
  /** The token goes to your server, which validates it with the secret key. */
  onVerified?: (result: Verified) => unknown;
  /** Every refusal. With `final` the visitor cannot go on by correcting what was typed. */
  onFailed?: (failure: Failure) => unknown;
  onSent?: (sent: Sent) => unknown;
  onStateChange?: (change: { state: State; previous: State }) => unknown;
}

export interface Verified {
  status: "verified";
  token: string;
  verificationId: string;
}

export interface Sent {
  verificationId: string;
  /** Seconds. */
  expiresIn: number;
  /** Seconds. */
  resendIn: number;
}

/** `message` is the sentence that the visitor was shown. */
export interface Failure extends Error {
  /** The server's error code, or `network_error`. */
  code: string;
  /** HTTP status; 0 when no answer could be read. */
  status: number;
  detail: string;
  attemptsLeft?: number;
  /** Seconds. */
  retryAfter?: number;
  requestId?: string;
  final: boolean;
}

export interface Instance {
  readonly state: State;
  /** Back to the first step, everything forgotten. */
  reset(): void;
  /** Gives the element back. */
  destroy(): void;
}

export interface DoneOTPWidget {
  readonly version: string;
  /** A second call for one element replaces the first. Where there is no document it does nothing. */
  init(options: Options): Instance;
}

declare global {
  var DoneOTP: DoneOTPWidget;
  interface HTMLElementEventMap {
    "doneotp:verified": CustomEvent<Verified>;
    "doneotp:failed": CustomEvent<Failure>;
    "doneotp:sent": CustomEvent<Sent>;
    "doneotp:statechange": CustomEvent<{ state: State; previous: State }>;
  }
}
