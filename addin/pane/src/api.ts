// The service's API. The bearer lives in this module's memory and nowhere else; no cookie is sent or kept.
import type { Bearer, Checked, Config, Decide, Found, Item, Me, Preview, Questions, ReportCodes, Rules, Status, Suggestions, Track, Trimmed } from "./apitypes";

export class Problem extends Error {
  constructor(readonly code: string, readonly status: number, readonly request: string) { super(code); }
}

export type SignIn = () => Promise<{ kind: "entra" | "exchange" | "demo"; token: string; mailbox: string }>;

const BASE = "/pane/api";
const TRIES = 3;
const PATIENCE = 30_000, PATIENCE_READING = 180_000;  // milliseconds; an answer that needs the whole item read may take longer
let bearer = "";
let signIn: SignIn | null = null;
let signingIn: Promise<void> | null = null;

export function useSignIn(way: SignIn): void { signIn = way; }
export function signedIn(): boolean { return bearer !== ""; }

/** Exchange a proof for a bearer; one exchange at a time, however many requests wait for it. */
export function renew(): Promise<void> {
  signingIn ??= (async () => {
    if (!signIn) throw new Problem("token-refused", 401, "");
    let proof: Awaited<ReturnType<SignIn>>;
    try { proof = await signIn(); } catch { throw new Problem("no-proof", 401, ""); }  // Outlook gave none: its user has to act
    const made = await send<Bearer>("POST", "/sign-in", proof, undefined, PATIENCE, false);
    bearer = made.bearer;
  })().finally(() => { signingIn = null; });
  return signingIn;
}

async function send<T>(method: string, path: string, body?: unknown, signal?: AbortSignal, patience = PATIENCE, again = true): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    const used = bearer;
    const [limit, over] = limited(patience, signal);
    let answer: Response;
    try {
      answer = await fetch(BASE + path, {
        method, cache: "no-store", credentials: "omit", redirect: "error", referrerPolicy: "no-referrer", signal: limit,
        headers: { ...(used ? { authorization: `Bearer ${used}` } : {}), ...(body === undefined ? {} : { "content-type": "application/json" }) },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
      if (answer.ok) return (answer.status === 204 ? undefined : await answer.json()) as T;
    } catch (error) {
      if (signal?.aborted) throw error;
      throw new Problem("offline", 0, "");
    } finally { over(); }
    const told = await answer.json().catch(() => ({})) as { code?: string; request?: string };
    if (answer.status === 401 && again && path !== "/sign-in") {
      if (bearer === used) bearer = "";
      if (!bearer) await renew();  // somebody else's request may have done it meanwhile
      again = false;
      continue;
    }
    if ((answer.status === 429 || answer.status === 503) && attempt < TRIES) {
      const wait = Number(answer.headers.get("retry-after")) || attempt;
      await pause(Math.min(wait, 5) * 1000, signal);
      continue;
    }
    throw new Problem(told.code ?? (answer.status === 429 ? "too-often" : "internal"), answer.status, told.request ?? "");
  }
}

/** A signal that ends with another one, or when nobody answered for so long; and what is to be called when it is over. */
function limited(milliseconds: number, signal?: AbortSignal): [AbortSignal, () => void] {
  const made = new AbortController();
  const stop = () => made.abort(signal?.reason);
  const timer = setTimeout(() => made.abort(new DOMException("no answer", "TimeoutError")), milliseconds);
  if (signal?.aborted) stop();
  signal?.addEventListener("abort", stop);
  return [made.signal, () => { clearTimeout(timer); signal?.removeEventListener("abort", stop); }];
}

export function pause(milliseconds: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const stop = () => { clearTimeout(timer); reject(signal?.reason); };
    const timer = setTimeout(() => { signal?.removeEventListener("abort", stop); resolve(); }, milliseconds);
    if (signal?.aborted) stop();
    signal?.addEventListener("abort", stop, { once: true });
  });
}

export const api = {
  config: () => send<Config>("GET", "/config", undefined, undefined, PATIENCE, false),
  me: (signal?: AbortSignal) => send<Me>("GET", "/me", undefined, signal),
  rules: () => send<Rules>("GET", "/rules"),
  affirm: (number: number) => send<Me>("POST", "/rules", { number }),
  codes: () => send<ReportCodes>("GET", "/codes"),
  status: (item: Item, signal?: AbortSignal) => send<Status>("POST", "/status", item, signal),
  follow: (id: string, signal?: AbortSignal) => send<Status>("GET", `/items/${encodeURIComponent(id)}`, undefined, signal),
  track: (item: Track) => send<Status>("POST", "/track", item),  // what was pressed is sent, whatever is opened meanwhile
  check: (item: Trimmed, signal?: AbortSignal) => send<Checked>("POST", "/check", item, signal, PATIENCE_READING),
  preview: (item: Trimmed, signal?: AbortSignal) => send<Preview>("POST", "/preview", item, signal, PATIENCE_READING),
  suggestions: (item: Item, signal?: AbortSignal) => send<Suggestions>("POST", "/suggestions", item, signal, PATIENCE_READING),
  search: (text: string, signal?: AbortSignal) => send<Found>("POST", "/search", { text }, signal),
  questions: (id: string, signal?: AbortSignal) => send<Questions>("GET", `/items/${encodeURIComponent(id)}/records`, undefined, signal),
  decide: (id: string, act: Decide["act"], record: string) => send<Status>("POST", `/items/${encodeURIComponent(id)}/records`, { act, record }),
  report: (id: string, code: string, text: string) => send<Status>("POST", `/items/${encodeURIComponent(id)}/report`, { code, text }),
  untrack: (id: string) => send<Status>("POST", `/items/${encodeURIComponent(id)}/untrack`),
  signOut: async () => {
    try { await send<unknown>("POST", "/sign-out", undefined, undefined, PATIENCE, false); } finally { bearer = ""; }
  },
};
