// The pane: asks the service how the open item stands, shows it, and sends what the user presses. It decides nothing.
import { api, pause, Problem, renew, signedIn, useSignIn } from "./api";
import type { Checked, Config, CrmRecord, Item, Line, Me, Preview, Status, Suggestions } from "./apitypes";
import { proof, way, type Way } from "./auth";
import { h, show } from "./dom";
import * as host from "./host";
import { ADVICE, amount, problem, ROUTES, STATES, STEPS, UNREADABLE, WHY, when } from "./words";

const root = document.getElementById("app") as HTMLElement;
const HELD = ["blocked", "unreadable", "pending-review"];
const BUSY = ["queued", "scanning"];
const PAUSES = [250, 350, 500, 700, 1000, 1500, 2500, 4000];

interface View {
  state: string; code: string; request: string; item: Item | null; status: Status | null; found: Suggestions | null;
  searched: Suggestions | null; checked: Checked | null; preview: Preview | null; chosen: string; busy: string;
  asking: "" | "untrack" | "report"; codes: Record<string, string>; said: string; lost: boolean; rules: { number: number; text: string; since: string } | null;
}
const nothing = (): View => ({ state: "starting", code: "", request: "", item: null, status: null, found: null, searched: null, checked: null,
  preview: null, chosen: "", busy: "", asking: "", codes: {}, said: "", lost: false, rules: null });
let view = nothing();
let config: Config | null = null;
let chosenWay: Way | null = null;
let me: Me | null = null;
let pressed = false;
let turn = new AbortController();

// ---------------------------------------------------------------------------------------------- what happens

async function begin(): Promise<void> {
  set({ ...nothing() });
  const how = await host.start();
  if (how !== "ready") { set({ state: how }); return; }
  host.theme();
  host.onSwitch(() => { void open(); });
  await connect();
}

async function connect(): Promise<void> {
  try {
    config ??= await api.config();
    chosenWay = way(config);
    if (!chosenWay) { set({ state: "no-way" }); return; }
    useSignIn(proof(chosenWay, config, () => pressed));
    if (!signedIn()) await renew();
    await enter();
  } catch (error) { failed(error, "signed-out"); }
}

async function enter(): Promise<void> {
  me = await api.me();
  if (me.rules) {
    set({ state: "rules", rules: await api.rules() });
    return;
  }
  if (!me.staff) { set({ state: "no-role" }); return; }
  await open();
}

/** The item beside the pane, now. Whatever was under way for another one is left alone: it goes on in the service. */
async function open(): Promise<void> {
  turn.abort(new DOMException("another item", "AbortError"));
  turn = new AbortController();
  const signal = turn.signal;
  if (!me || me.rules || !me.staff) return;
  set({ ...nothing(), state: "starting" });
  try {
    const found = await host.opened();
    if (signal.aborted) return;
    if (found.kind !== "item") { set({ state: found.kind }); return; }
    set({ item: found.item });
    take(await api.status(found.item, signal), signal);
  } catch (error) { if (!signal.aborted) failed(error); }
}

function take(status: Status, signal: AbortSignal): void {
  if (signal.aborted) return;
  set({ state: status.state, status, busy: "", code: "", request: "", lost: false });
  if (BUSY.includes(status.state)) void follow(status.id, signal);
  else if (status.can.includes("track") && !view.found && !HELD.includes(status.state)) void suggest(signal);
}

async function follow(id: string, signal: AbortSignal): Promise<void> {
  for (let turns = 0; !signal.aborted; turns += 1) {
    try {
      await pause(PAUSES[Math.min(turns, PAUSES.length - 1)] ?? 4000, signal);
      const status = await api.follow(id, signal);
      if (!BUSY.includes(status.state)) { take(status, signal); return; }
      if (!signal.aborted) set({ state: status.state, status, lost: false });
    } catch (error) {
      if (signal.aborted) return;
      if (error instanceof Problem && (error.code === "offline" || error.status >= 500)) { set({ lost: true }); continue; }
      failed(error);
      return;
    }
  }
}

async function suggest(signal: AbortSignal): Promise<void> {
  if (!view.item) return;
  try {
    const found = await api.suggestions(view.item, signal);
    if (signal.aborted) return;
    const sure = found.records.filter((one) => one.why === "address" || one.why === "thread");
    set({ found, chosen: view.chosen || (sure.length === 1 && sure[0] ? key(sure[0]) : "") });
  } catch (error) {
    if (!signal.aborted && error instanceof Problem && error.code !== "offline") set({ found: { records: [], beyond: 0 } });
  }
}

/** Do something for the open item, once at a time; say what went wrong beside it. */
async function act(name: string, work: (item: Item, signal: AbortSignal) => Promise<void>): Promise<void> {
  if (view.busy || !view.item) return;
  const signal = turn.signal;
  set({ busy: name, code: "", request: "" });
  try { await work(view.item, signal); } catch (error) { if (!signal.aborted) failed(error); } finally { if (!signal.aborted) set({ busy: "" }); }
}

const track = () => act("track", async (item, signal) => take(await api.track({ ...item, record: view.chosen }, signal), signal));
const check = () => act("check", async (item, signal) => { const checked = await api.check(item, signal); if (!signal.aborted) set({ checked }); });
const preview = () => act("preview", async (item, signal) => { const told = await api.preview(item, signal); if (!signal.aborted) set({ preview: told }); });
const search = (text: string) => act("search", async (_, signal) => { const searched = await api.search(text, signal); if (!signal.aborted) set({ searched }); });
const untrack = () => act("untrack", async (_, signal) => { if (view.status) take(await api.untrack(view.status.id), signal); set({ asking: "" }); });
const askReport = () => act("codes", async () => { set({ asking: "report", codes: (await api.codes()).codes }); });
const report = (code: string, text: string) => act("report", async (_, signal) => {
  if (view.status) { take(await api.report(view.status.id, code, text), signal); set({ asking: "", said: "Your report went to a reviewer." }); }
});

async function affirm(): Promise<void> {
  if (!view.rules) return;
  try { me = await api.affirm(view.rules.number); set({ rules: null }); await enter(); } catch (error) { failed(error); }
}

async function signInByHand(): Promise<void> {
  pressed = true;
  try { await connect(); } finally { pressed = false; }
}

async function signOut(): Promise<void> {
  turn.abort(new DOMException("signed out", "AbortError"));
  me = null;
  if (chosenWay === "entra") (await import("./nested")).forget();
  try { await api.signOut(); } catch { /* the bearer is forgotten here either way */ }
  set({ ...nothing(), state: "signed-out" });
}

function failed(error: unknown, otherwise = ""): void {
  const told = error instanceof Problem ? error : null;
  const states: Record<string, string> = { "not-yours": "no-access", "not-found": "not-served", "training-expired": "training", role: "no-role",
    separation: "no-role", "unknown-person": "unknown", "account-inactive": "unknown", "mailbox-not-proved": "no-access", "token-refused": "signed-out" };
  if (told?.code === "rules-unsigned") { void enter().catch(() => undefined); return; }
  if (told && states[told.code]) { set({ state: states[told.code] as string, request: told.request, busy: "" }); return; }
  if (!told && otherwise) { set({ state: otherwise, busy: "" }); return; }
  set({ code: told?.code ?? "internal", request: told?.request ?? "", busy: "", ...(view.state === "starting" ? { state: "error" } : {}) });
}

function set(change: Partial<View>): void { view = { ...view, ...change }; draw(); }
const key = (one: CrmRecord) => `${one.record}:${one.id}`;

// ---------------------------------------------------------------------------------------------- what is shown

function draw(): void {
  const said = view.state === "error" ? { title: "It did not work", text: "" } : STATES[view.state] ?? { title: "Track in CRM", text: "" };
  document.documentElement.dataset["state"] = view.state;
  show(root,
    h("main", {},
      h("h1", {}, "Track in CRM"),
      h("p", { role: "status", id: "status", class: `state ${view.state}` }, h("strong", {}, said.title), " ",
        view.busy === "check" ? "Checking the item. Nothing is kept." : said.text, view.said ? ` ${view.said}` : ""),
      view.lost && h("p", { class: "note" }, "The service does not answer just now. What you asked for is kept and goes on by itself."),
      view.code && h("div", { role: "alert", class: "wrong" }, h("p", {}, problem(view.code)), view.request && h("p", { class: "small" }, `Request ${view.request}`)),
      ...body()),
    h("footer", {},
      config?.notice_url && h("a", { href: config.notice_url, target: "_blank", rel: "noopener noreferrer" }, "Privacy notice"),
      me && view.state !== "signed-out" && h("button", { type: "button", id: "out", class: "plain", click: () => void signOut() }, "Sign out")));
}

function body(): (HTMLElement | false | null | undefined | "")[] {
  switch (view.state) {
    case "no-office": case "error": case "no-item": case "unsaved": return [button("again", "Try again", () => void (me ? open() : begin()), true)];
    case "signed-out": case "unknown": return [button("in", "Sign in", () => void signInByHand(), true)];
    case "no-access": case "not-served": return [button("again", "Try again", () => void open())];
    case "rules": return view.rules ? [
      h("p", { class: "small" }, `Version ${view.rules.number}, ${when(view.rules.since)}`),
      h("div", { class: "rules", tabindex: "0", role: "region", "aria-label": "Rules of behaviour" }, view.rules.text),
      button("accept", "I have read them and will follow them", () => void affirm(), true)] : [];
    case "starting": case "outside": case "no-way": case "training": case "no-role": return [];
    default: return view.status ? item(view.status) : [];
  }
}

function item(status: Status): (HTMLElement | false | null | undefined | "")[] {
  const can = (what: string) => status.can.includes(what);
  const held = HELD.includes(status.state);
  return [
    BUSY.includes(status.state) && steps(status),
    held && reasons(status.lines),
    held && h("p", {}, status.state === "unreadable" ? UNREADABLE : ADVICE),
    held && h("p", {}, `Case ${status.case}`, status.opened ? `, since ${when(status.opened)}` : "", status.joined ? ". Somebody else tracked it before." : "."),
    held && status.reported === "waiting" && h("p", {}, "You said that this is wrong. A reviewer looks at it."),
    held && status.reported === "answered" && h("p", {}, `A reviewer answered: ${status.answer || "see your page"}.`),
    status.redacted && h("p", {}, "A copy without the personal part was linked."),
    status.records.length > 0 && h("section", {}, h("h2", {}, "Linked to"), h("ul", {}, ...status.records.map((one) =>
      h("li", {}, one.name || "a record of another division", one.detail ? h("span", { class: "small" }, ` ${one.detail}`) : "")))),
    status.trackers.length > 0 && h("section", {}, h("h2", {}, held ? "Asked for by" : "Tracked by"), h("ul", {}, ...status.trackers.map((one) =>
      h("li", {}, one.who || "somebody of another division", h("span", { class: "small" }, ` ${when(one.at)}, by ${ROUTES[one.route] ?? one.route}`))))),
    can("track") && !held && records(),
    can("track") && h("div", { class: "actions" },
      button("track", held ? "I changed the item: track again" : view.busy === "track" ? "Asking" : "Track", () => void track(), !held),
      can("check") && button("check", "Check only", () => void check()),
      button("preview", "What will be stored", () => void preview())),
    view.checked && can("check") && h("section", { id: "checked" }, h("h2", {}, view.checked.verdict === "pass" ? "The check found nothing" : "The check would hold it"),
      view.checked.verdict === "pass" ? h("p", {}, "Nothing was kept.") : reasons(view.checked.lines)),
    view.preview && can("track") && h("section", { id: "stored" }, h("h2", {}, "What would be stored"), h("ul", {}, ...view.preview.things.map((one) =>
      h("li", {}, one.what, amount(one.amount, one.unit) ? h("span", { class: "small" }, ` ${amount(one.amount, one.unit)}`) : "")))),
    can("report") && view.asking !== "report" && button("wrong", "I think this is wrong", () => void askReport()),
    view.asking === "report" && reporting(),
    can("untrack") && view.asking !== "untrack" && button("untrack", "Untrack", () => set({ asking: "untrack" })),
    view.asking === "untrack" && h("section", { "aria-labelledby": "untrack-title" }, h("h2", { id: "untrack-title" }, "Untrack this item?"),
      h("p", {}, "What goes: that you track it. What stays: the CRM's copy until an operator has untracked it, and for as long as somebody else tracks it; the record of who did what."),
      button("untrack-yes", "Ask to untrack", () => void untrack(), true), button("untrack-no", "Keep it", () => set({ asking: "" }))),
  ];
}

function steps(status: Status): HTMLElement {
  const at = status.step ? status.steps.indexOf(status.step) : -1;
  return h("ol", { class: "steps" }, ...status.steps.map((one, number) =>
    h("li", { class: number < at ? "done" : number === at ? "now" : "", ...(number === at ? { "aria-current": "step" } : {}) }, STEPS[one] ?? one,
      h("span", { class: "unseen" }, number < at ? " (done)" : ""))));
}

function reasons(lines: Line[]): HTMLElement {
  return lines.length ? h("ul", { class: "reasons" }, ...lines.map((one) => h("li", {}, `${one.place}: `, h("strong", {}, one.words), one.count ? ` (${one.count})` : "")))
    : h("p", {}, "The wording as a whole: it may say something personal about somebody.");
}

function records(): HTMLElement {
  const both = [...(view.found?.records ?? []), ...(view.searched?.records ?? [])];
  const seen = new Map(both.filter((one) => one.name).map((one) => [key(one), one]));
  const beyond = (view.found?.beyond ?? 0) + (view.searched?.beyond ?? 0);
  const field = h("input", { id: "search", type: "search", autocomplete: "off", maxlength: "100", minlength: "2", value: "" });
  return h("section", {}, h("h2", { id: "where" }, "Where it belongs"),
    !view.found && h("p", { class: "small" }, "Looking for records."),
    view.found && seen.size === 0 && h("p", {}, view.searched ? "Nothing was found." : "No record fits by itself. Search for one, or track it without."),
    h("fieldset", { "aria-labelledby": "where" },
      ...[...seen.values()].map((one, number) => h("label", { class: "choice" },
        h("input", { type: "radio", name: "record", id: `record-${number}`, value: key(one), ...(view.chosen === key(one) ? { checked: true } : {}), change: () => set({ chosen: key(one) }) }),
        h("span", {}, one.name, h("span", { class: "small" }, ` ${[one.detail, WHY[one.why] ?? ""].filter(Boolean).join("; ")}`)))),
      h("label", { class: "choice" }, h("input", { type: "radio", name: "record", id: "record-none", value: "", ...(view.chosen === "" ? { checked: true } : {}), change: () => set({ chosen: "" }) }),
        h("span", {}, "As matching finds it"))),
    beyond > 0 && h("p", { class: "small" }, `${beyond} more belong to another division; you have no access to them.`),
    h("form", { role: "search", submit: (event) => { event.preventDefault(); const text = field.value.trim(); if (text.length > 1) void search(text); } },
      h("label", { for: "search" }, "Search the CRM"), field, h("button", { type: "submit", id: "find" }, "Search")));
}

function reporting(): HTMLElement {
  const code = h("select", { id: "code" }, ...Object.entries(view.codes).map(([name, words]) => h("option", { value: name }, words)));
  const text = h("textarea", { id: "text", maxlength: "1000", rows: "3", "aria-describedby": "hint" });
  return h("form", { submit: (event) => { event.preventDefault(); void report(code.value, text.value); } },
    h("h2", {}, "I think this is wrong"), h("label", { for: "code" }, "Because"), code,
    h("label", { for: "text" }, "In your words, by kind and place"), text,
    h("p", { id: "hint", class: "small" }, "Your words are checked as well. Do not repeat the information itself."),
    h("div", { class: "actions" }, h("button", { type: "submit", id: "send", class: "primary" }, "Send to a reviewer"), button("not", "Cancel", () => set({ asking: "" }))));
}

function button(id: string, text: string, click: () => void, primary = false): HTMLElement {
  return h("button", { type: "button", id, click, ...(primary ? { class: "primary" } : {}), ...(view.busy ? { "aria-disabled": "true" } : {}) }, text);
}

window.addEventListener("online", () => { if (view.code === "offline") void (me ? open() : connect()); });
void begin();
