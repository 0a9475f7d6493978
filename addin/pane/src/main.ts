// The pane: asks the service how the open item stands, shows it, and sends what the user presses. It decides nothing.
import { api, pause, Problem, renew, signedIn, useSignIn } from "./api";
import type { Checked, Config, CrmRecord, Decide, Found, Item, Line, Me, Preview, Questions, Status, Suggestions } from "./apitypes";
import { proof, way, type Way } from "./auth";
import { h, show } from "./dom";
import * as host from "./host";
import { ADVICE, amount, DECIDED, FOUND_NOTHING, LOST, many, problem, ROUTES, STATES, STEPS, UNREADABLE, when, WOULD_HOLD } from "./words";

const root = document.getElementById("app") as HTMLElement;
const HELD = ["blocked", "unreadable", "pending-review"];
const WITHDRAWN = "withdrawn";
const BUSY = ["queued", "scanning"];
const PAUSES = [250, 350, 500, 700, 1000, 1500, 2500, 4000, 4000, 4000, 8000, 8000, 8000, 15000];
const ENDS = ["token-refused", "no-proof", "unknown-person", "account-inactive", "training-expired"];  // whatever is on the page
const STATES_OF: Record<string, string> = { "not-yours": "no-access", "not-found": "not-served", "training-expired": "training", role: "no-role",
  separation: "no-role", "unknown-person": "unknown", "account-inactive": "inactive", "mailbox-not-proved": "no-access", "token-refused": "signed-out", "no-proof": "signed-out" };

interface View {
  state: string; code: string; request: string; item: Item | null; status: Status | null; found: Suggestions | null;
  searched: Found | null; checked: Checked | null; preview: Preview | null; chosen: string[]; left: number[]; questions: Questions | null; busy: string;
  asking: "" | "untrack" | "report" | "withdraw"; codes: Record<string, string>; said: string; lost: "" | "away" | "busy"; rules: { number: number; text: string; since: string } | null;
}
const nothing = (): View => ({ state: "starting", code: "", request: "", item: null, status: null, found: null, searched: null, checked: null,
  preview: null, chosen: [], left: [], questions: null, busy: "", asking: "", codes: {}, said: "", lost: "", rules: null });
let view = nothing();
let config: Config | null = null;
let chosenWay: Way | null = null;
let me: Me | null = null;
let pressed = false;
let turn = new AbortController();
let goal = "";  // where the keyboard goes with the next picture

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
  } catch (error) { failed(error); }
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
  announce("");
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
  const before = view.state;
  set({ state: status.state, status, busy: "", code: "", request: "", lost: "", checked: null, preview: null });
  if (status.outlook === "Tracked" && status.state !== before) set({ chosen: [], searched: null });  // they are among its records now
  if (BUSY.includes(status.state)) void follow(status.id, signal);
  else if (status.can.includes("records")) void ask(status.id, signal);
  else if (status.can.includes("track") && (!view.found || HELD.includes(status.state))) void suggest(signal);  // held: it may have been changed
}

async function follow(id: string, signal: AbortSignal): Promise<void> {
  for (let turns = 0; !signal.aborted; turns += 1) {
    try {
      await pause(PAUSES[Math.min(turns, PAUSES.length - 1)] ?? 4000, signal);
      const status = await api.follow(id, signal);
      if (!BUSY.includes(status.state)) { take(status, signal); return; }
      if (!signal.aborted && (view.lost || status.state !== view.state || status.step !== view.status?.step)) set({ state: status.state, status, lost: "" });
    } catch (error) {
      if (signal.aborted) return;
      if (error instanceof Problem && (error.code === "offline" || error.status >= 500)) { set({ lost: "away" }); continue; }
      if (error instanceof Problem && error.status === 429) { set({ lost: "busy" }); continue; }
      failed(error);
      return;
    }
  }
}

async function suggest(signal: AbortSignal): Promise<void> {
  if (!view.item) return;
  try {
    const found = await api.suggestions(view.item, signal);
    if (!signal.aborted) set({ found });
  } catch (error) {
    const words = error instanceof Problem && error.code !== "internal" ? problem(error.code) : "Records cannot be looked up just now.";
    if (!signal.aborted) set({ found: { sure: [], words, records: [], questions: [], beyond: 0, attachments: [] } });
  }
}

/** What is still asked about an item that is in the CRM. Without an answer the rest of the page stands. */
async function ask(id: string, signal: AbortSignal): Promise<void> {
  try { const questions = await api.questions(id, signal); if (!signal.aborted) set({ questions }); } catch { /* asked again when something changes */ }
}

/** Do something for the open item, once at a time; say what went wrong beside it. */
async function act(name: string, work: (item: Item, signal: AbortSignal) => Promise<void>): Promise<void> {
  if (view.busy || !view.item) return;
  const signal = turn.signal;
  set({ busy: name, code: "", request: "", said: "" });
  try { await work(view.item, signal); } catch (error) {
    if (!signal.aborted) await undone(error, signal);
    else if (name === "track") set({ said: "The item you chose Track for before was not tracked. Open it and try again." });
  } finally { if (!signal.aborted && view.busy) set({ busy: "" }); }
}

/** It could not be done. Where the item stands otherwise than the page says, the page is brought up to date. */
async function undone(error: unknown, signal: AbortSignal): Promise<void> {
  if (error instanceof Problem && error.code === "bad-state" && view.item) {
    try { take(await api.status(view.item, signal), signal); set({ asking: "" }); } catch { /* what is said below stands */ }
    if (signal.aborted) return;
  }
  failed(error);
}

const track = (without: number[]) => act("track", async (item, signal) => {
  set({ left: without });
  const status = await api.track({ ...item, records: view.chosen, leave_out: without });
  take(status, signal.aborted && isOpen(item) ? turn.signal : signal);  // it may be open again, and was asked about too early
});
const decide = (what: Decide["act"], one: CrmRecord) => act("records", async (_, signal) => {
  if (!view.status) return;
  const status = await api.decide(view.status.id, what, key(one));
  if (!signal.aborted) { take(status, signal); set({ said: DECIDED[what] }); }  // records of another CRM are not listed here
});
const check = (without: number[]) => act("check", async (item, signal) => {
  const checked = await api.check({ ...item, leave_out: without }, signal);
  if (signal.aborted) return;
  set({ checked, busy: "" });
  look("checked", checked.verdict === "pass" ? FOUND_NOTHING : WOULD_HOLD);
});
const preview = (without: number[]) => act("preview", async (item, signal) => {
  const told = await api.preview({ ...item, leave_out: without }, signal);
  if (signal.aborted) return;
  set({ preview: told, busy: "" });
  look("stored", "What would be stored is listed below.");
});
const search = (text: string) => act("search", async (_, signal) => {
  const searched = await api.search(text, signal);
  const kept = (view.searched?.records ?? []).filter((one) => view.chosen.includes(key(one)) && !searched.records.some((other) => key(other) === key(one)));
  if (signal.aborted) return;
  set({ searched: { ...searched, records: [...searched.records, ...kept] } });  // what was ticked stays in sight
  announce(searched.records.length ? `Found: ${many(searched.records.length, "record", "records")}.` : "Nothing was found.");
});
const untrack = () => act("untrack", async (_, signal) => {
  if (!view.status) return;
  const status = await api.untrack(view.status.id);
  if (!signal.aborted) { set({ asking: "" }); take(status, signal); }
});
const askReport = () => act("codes", async (_, signal) => {
  const { codes } = await api.codes();
  if (!signal.aborted) { goal = "code"; set({ asking: "report", codes }); }
});
const report = (code: string, text: string) => act("report", async (_, signal) => {
  if (!view.status) return;
  const status = await api.report(view.status.id, code, text);
  if (!signal.aborted) { take(status, signal); set({ asking: "", said: code === WITHDRAWN ? "A reviewer is told." : "Your report went to a reviewer." }); }
});
const confirming = (asking: View["asking"], where: string) => { goal = where; set({ asking, code: "", request: "" }); };

async function affirm(): Promise<void> {
  if (!view.rules || view.busy) return;
  const { number } = view.rules;
  set({ busy: "rules", code: "", request: "" });
  try { me = await api.affirm(number); await enter(); } catch (error) {
    if (error instanceof Problem && error.code === "bad-state") await enter().catch(failed);  // newer rules came into force
    else failed(error);
  } finally { if (view.busy === "rules") set({ busy: "" }); }
}

async function signInByHand(): Promise<void> {
  if (pressed) return;
  pressed = true;
  set({ busy: "sign-in", code: "", request: "" });
  try { await connect(); } finally { pressed = false; if (view.busy === "sign-in") set({ busy: "" }); }
}

async function signOut(): Promise<void> {
  turn.abort(new DOMException("signed out", "AbortError"));
  me = null;
  if (chosenWay === "entra") (await import("./nested")).forget();
  try { await api.signOut(); } catch { /* the bearer is forgotten here either way */ }
  set({ ...nothing(), state: "signed-out" });
}

function failed(error: unknown): void {
  const told = error instanceof Problem ? error : null;
  if (told?.code === "rules-unsigned" && me) { void enter().catch(failed); return; }
  const state = told && (!view.status || ENDS.includes(told.code)) && STATES_OF[told.code];
  if (told && state) {  // by itself it only asks to sign in; after a press it says what went wrong
    set({ state, busy: "", asking: "", code: state === "signed-out" && pressed ? told.code : "", request: told.request });
    return;
  }
  set({ code: told?.code ?? "internal", request: told?.request ?? "", busy: "", ...(view.state === "starting" ? { state: "error" } : {}) });
}

function set(change: Partial<View>): void { view = { ...view, ...change }; draw(); }
const key = (one: CrmRecord) => `${one.record}:${one.id}`;
const isOpen = (item: Item) => view.item?.mailbox === item.mailbox && view.item.item_id === item.item_id && view.item.internet_message_id === item.internet_message_id;
const toggled = <T>(all: T[], one: T): T[] => all.includes(one) ? all.filter((other) => other !== one) : [...all, one];

// ---------------------------------------------------------------------------------------------- what is shown

const line = h("p", { role: "status", id: "status", class: "state", tabindex: "-1" });
const news = h("p", { role: "status", id: "news", class: "unseen" });
const rest = h("div", { class: "rest" });
const foot = h("footer");
let lastSaid = "";

/** The line that says how the item stands, and the one for ears alone, stay in the page: that is what makes them heard. */
function draw(): void {
  if (!line.isConnected) root.replaceChildren(h("main", {}, h("h1", {}, "Track in CRM"), line, news, rest), foot);
  const said = view.state === "error" ? { title: "It did not work", text: "" } : STATES[view.state] ?? { title: "Track in CRM", text: "" };
  const text = [view.busy === "check" ? "Checking the item. Nothing is kept." : said.text, view.said].filter(Boolean).join(" ");
  document.documentElement.dataset["state"] = view.state;
  line.className = `state ${view.state}`;
  if (lastSaid !== said.title + text) { lastSaid = said.title + text; line.replaceChildren(h("strong", {}, said.title), ` ${text}`); }
  show(rest, line,
    view.lost && h("p", { class: "note" }, LOST[view.lost]),
    view.code && h("div", { role: "alert", class: "wrong" }, h("p", {}, problem(view.code)), view.request && h("p", { class: "small" }, `Request ${view.request}`)),
    ...body());
  show(foot, line,
    config?.notice_url && h("a", { id: "notice", href: config.notice_url, target: "_blank", rel: "noopener noreferrer" }, "Privacy notice"),
    me && view.state !== "signed-out" && h("button", { type: "button", id: "out", class: "plain", click: () => void signOut() }, "Sign out"));
  if (goal) { document.getElementById(goal)?.focus(); goal = ""; }
}

/** Say something to whoever listens; it stands on the page anyway. */
function announce(text: string): void { news.textContent = text; }

/** What was asked for may stand below the edge of the pane. */
function look(id: string, text: string): void {
  announce(text);
  document.getElementById(id)?.scrollIntoView({ block: "nearest" });
}

function body(): (HTMLElement | false | null | undefined | "")[] {
  switch (view.state) {
    case "no-office": case "error": case "no-item": case "unsaved": return [button("again", "Try again", () => void (me ? open() : begin()), true)];
    case "signed-out": return [button("in", view.busy === "sign-in" ? "Signing in" : "Sign in", () => void signInByHand(), true)];
    case "unknown": case "inactive": case "no-way": case "training": case "no-role": return [contact(), button("again", "Try again", () => void signInByHand())];
    case "no-access": case "not-served": return [contact(), button("again", "Try again", () => void (me ? open() : signInByHand()))];
    case "rules": return view.rules ? [
      h("p", { class: "small" }, `Version ${view.rules.number}, ${when(view.rules.since)}`),
      h("div", { class: "box", id: "rules", tabindex: "0", role: "region", "aria-label": "Rules of behaviour" }, view.rules.text),
      button("accept", "I have read them and will follow them", () => void affirm(), true)] : [];
    case "starting": case "outside": return [];
    default: return view.status ? item(view.status) : [];
  }
}

function item(status: Status): (HTMLElement | false | null | undefined | "")[] {
  const can = (what: string) => status.can.includes(what);
  const held = HELD.includes(status.state);
  const without = view.left;
  return [
    BUSY.includes(status.state) && steps(status),
    held && reasons(status.lines),
    held && h("p", {}, status.state === "unreadable" ? UNREADABLE : ADVICE),
    held && h("p", {}, `Case ${status.case}`, status.opened ? `, since ${when(status.opened)}` : "", status.joined ? ". Somebody else tracked it before." : "."),
    held && contact(),
    held && status.reported === "waiting" && h("p", {}, status.withdrawn ? "You said that you do not need it in the CRM. A reviewer closes the case." : "You said that this is wrong. A reviewer looks at it."),
    held && status.reported === "answered" && h("p", {}, `A reviewer answered: ${status.answer || "see your page"}.`),
    status.redacted && h("p", {}, "A copy without the personal part was linked."),
    status.records.length > 0 && h("section", {}, h("h2", {}, "Linked to"), h("ul", {}, ...status.records.map((one, number) =>
      h("li", {}, ...named(one), can("records") && one.name && small(`unlink-${number}`, "Take off", one, () => void decide("unlink", one)))))),
    can("records") && !can("untrack-ask") && !status.records.length && h("p", {}, "It is linked to no record yet."),
    can("records") && view.questions && openQuestions(view.questions),
    status.trackers.length > 0 && h("section", {}, h("h2", {}, held ? "Asked for by" : "Tracked by"), h("ul", {}, ...status.trackers.map((one) =>
      h("li", {}, one.who || "somebody of another division", h("span", { class: "small" }, ` ${when(one.at)}, by ${ROUTES[one.route] ?? one.route}`))))),
    can("records") && h("section", {}, h("h2", {}, "Link it to another record"), results((one, number) => small(`add-${number}`, "Link", one, () => void decide("link", one))), finder()),
    can("track") && !held && records(),
    can("track") && attachments(),
    can("track") && h("div", { class: "actions" },
      button("track", held ? "I changed the item: track again" : view.busy === "track" ? "Asking" : "Track", () => void track(without), !held),
      held && status.without.length > 0 && button("without", `Track without attachment ${status.without.join(", ")}`, () => void track([...new Set([...status.without, ...view.left])]), true),
      can("check") && button("check", "Check only", () => void check(without)),
      button("preview", "What will be stored", () => void preview(without))),
    view.checked && can("check") && h("section", { id: "checked" }, h("h2", {}, view.checked.verdict === "pass" ? FOUND_NOTHING : WOULD_HOLD),
      view.checked.verdict !== "pass" && reasons(view.checked.lines), h("p", {}, "Nothing was kept.")),
    view.preview && can("track") && h("section", { id: "stored" }, h("h2", {}, "What would be stored"), h("ul", {}, ...view.preview.things.map((one) =>
      h("li", {}, one.what, amount(one.amount, one.unit) ? h("span", { class: "small" }, ` ${amount(one.amount, one.unit)}`) : ""))),
      h("p", { class: "small" }, linking())),
    can("report") && view.asking !== "report" && button("wrong", "I think this is wrong", () => void askReport()),
    view.asking === "report" && reporting(),
    can("report") && view.asking !== "withdraw" && button("withdraw", "I do not need it in the CRM", () => confirming("withdraw", "withdraw-no")),
    view.asking === "withdraw" && can("report") && h("section", { "aria-labelledby": "withdraw-title" }, h("h2", { id: "withdraw-title" }, "Withdraw it?"),
      h("p", {}, "It stays out of the CRM. A reviewer is told that you do not need it and closes the case; until then it is held."),
      h("div", { class: "actions" }, button("withdraw-yes", "Withdraw", () => void report(WITHDRAWN, ""), true), button("withdraw-no", "Cancel", () => confirming("", "withdraw")))),
    (can("untrack") || can("untrack-ask")) && view.asking !== "untrack" && button("untrack", "Untrack", () => confirming("untrack", "untrack-no")),
    view.asking === "untrack" && h("section", { "aria-labelledby": "untrack-title" }, h("h2", { id: "untrack-title" }, "Untrack this item?"),
      ...leaving(status),
      h("div", { class: "actions" }, button("untrack-yes", can("untrack") ? "Untrack" : "Ask to untrack", () => void untrack(), true), button("untrack-no", "Keep it", () => confirming("", "untrack")))),
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

/** What goes and what stays when this person does not track the item any more. */
function leaving(status: Status): HTMLElement[] {
  if (!status.can.includes("untrack")) return [h("p", {}, "What goes: that you track it. What stays: the CRM's copy until an operator has untracked it, and for as long as somebody else tracks it; the record of who did what.")];
  const others = status.others ? `${many(status.others, "other person", "other people")} track it` : "nobody else tracks it, so whoever keeps the records may purge it";
  return [h("p", {}, "What goes: that you track it, and what is suggested to you for it."),
    h("p", {}, `What stays: the CRM's copy with its ${many(status.records.length, "record", "records")}; ${others}. The record of who did what stays too.`)];
}

/** Which records it would be linked to, as far as they are known now. */
function linking(): string {
  const number = (view.found?.sure.length ?? 0) + view.chosen.length;
  return number ? `It would be linked to ${many(number, "record", "records")}.` : "It would be linked to no record yet.";
}

function contact(): HTMLElement | "" | undefined {
  return config?.contact && h("p", { class: "small" }, `Questions: ${config.contact}`);
}

function named(one: CrmRecord): (string | HTMLElement)[] {
  const more = [one.name && one.record, one.detail, one.words].filter(Boolean).join("; ");
  return [one.name || "a record of another division", ...(more ? [h("span", { class: "small" }, ` ${more}`)] : [])];
}

function small(id: string, text: string, one: CrmRecord, click: () => void): HTMLElement {
  return h("button", { type: "button", id, class: "plain", "aria-label": `${text}: ${one.name}`, click, ...(view.busy ? { "aria-disabled": "true" } : {}) }, text);
}

/** Where an item that is in the CRM may belong besides: questions with several answers, and single suggestions. */
function openQuestions(asked: Questions): HTMLElement | false {
  const line = (one: CrmRecord, id: string) => h("li", {}, ...named(one),
    small(`yes-${id}`, "This one", one, () => void decide("link", one)), small(`no-${id}`, "Not this one", one, () => void decide("dismiss", one)));
  if (!asked.questions.length && !asked.records.length) return false;
  return h("section", { id: "asked" }, ...asked.questions.flatMap((one, question) => [h("h2", {}, "Which of them is it?"), h("ul", {}, ...one.map((record, number) => line(record, `${question}-${number}`)))]),
    ...(asked.records.length ? [h("h2", {}, "Does it belong here too?"), h("ul", {}, ...asked.records.map((record, number) => line(record, `${number}`)))] : []));
}

function records(): HTMLElement {
  const found = view.found;
  const offered = new Map<string, CrmRecord>();
  const again = new Set([...(found?.sure ?? []), ...(found?.questions.flat() ?? [])].map(key));
  for (const one of [...(found?.records ?? []), ...(view.searched?.records ?? [])]) if (one.name && !again.has(key(one))) offered.set(key(one), one);
  const beyond = (found?.beyond ?? 0) + (view.searched?.beyond ?? 0);
  let number = 0;
  const choice = (one: CrmRecord) => h("label", { class: "choice" },
    h("input", { type: "checkbox", id: `record-${number++}`, value: key(one), ...(view.chosen.includes(key(one)) ? { checked: true } : {}), change: () => set({ chosen: toggled(view.chosen, key(one)) }) }),
    h("span", {}, ...named(one)));
  return h("section", {}, h("h2", { id: "where" }, "Where it belongs"),
    !found && h("p", { class: "small" }, "Looking for records."),
    found && found.sure.length > 0 && h("p", {}, "It will be linked to:"),
    found && found.sure.length > 0 && h("ul", { id: "sure" }, ...found.sure.map((one) => h("li", {}, ...named(one)))),
    found && !found.sure.length && found.words && h("p", { id: "why" }, found.words),
    ...(found?.questions ?? []).map((asked) => h("fieldset", {}, h("legend", {}, "Which of them is it?"), ...asked.map(choice))),
    offered.size > 0 && h("fieldset", { "aria-labelledby": "where" }, ...[...offered.values()].map(choice)),
    view.searched && !view.searched.records.length && h("p", {}, "Nothing was found."),
    beyond > 0 && h("p", { class: "small" }, `${beyond} more belong to another division; you have no access to them.`),
    finder());
}

/** What a search found, each with something to press. */
function results(press: (one: CrmRecord, number: number) => HTMLElement): HTMLElement | false {
  if (!view.searched) return false;
  return view.searched.records.length ? h("ul", {}, ...view.searched.records.map((one, number) => h("li", {}, ...named(one), press(one, number)))) : h("p", {}, "Nothing was found.");
}

function finder(): HTMLElement {
  const field = h("input", { id: "search", type: "search", autocomplete: "off", maxlength: "100", minlength: "2", focus: () => field.select() });
  return h("form", { role: "search", submit: (event) => { event.preventDefault(); const text = field.value.trim(); if (text.length > 1) void search(text); } },
    h("label", { for: "search" }, "Search the CRM"), field, h("button", { type: "submit", id: "find" }, "Search"));
}

function attachments(): HTMLElement | false {
  const all = view.found?.attachments ?? [];
  return all.length > 0 && h("section", {}, h("h2", { id: "files" }, "Attachments"),
    h("fieldset", { "aria-labelledby": "files" }, ...all.map((one) => h("label", { class: "choice" },
      h("input", { type: "checkbox", id: `file-${one.number}`, ...(view.left.includes(one.number) ? {} : { checked: true }), change: () => set({ left: toggled(view.left, one.number), checked: null, preview: null }) }),
      h("span", {}, one.what, h("span", { class: "small" }, ` ${amount(one.bytes, "bytes")}`))))),
    view.left.length > 0 && h("p", { class: "small" }, "What you leave out stays in the mailbox. The rest is read and checked without it."));
}

function reporting(): HTMLElement {
  const code = h("select", { id: "code" }, ...Object.entries(view.codes).filter(([name]) => name !== WITHDRAWN).map(([name, words]) => h("option", { value: name }, words)));
  const text = h("textarea", { id: "text", maxlength: "1000", rows: "3", "aria-describedby": "hint" });
  return h("form", { submit: (event) => { event.preventDefault(); void report(code.value, text.value); } },
    h("h2", {}, "I think this is wrong"), h("label", { for: "code" }, "Because"), code,
    h("label", { for: "text" }, "In your words, by kind and place"), text,
    h("p", { id: "hint", class: "small" }, "Your words are checked as well. Do not repeat the information itself."),
    h("div", { class: "actions" }, h("button", { type: "submit", id: "send", class: "primary" }, "Send to a reviewer"), button("not", "Cancel", () => confirming("", "wrong"))));
}

function button(id: string, text: string, click: () => void, primary = false): HTMLElement {
  return h("button", { type: "button", id, click, ...(primary ? { class: "primary" } : {}), ...(view.busy ? { "aria-disabled": "true" } : {}) }, text);
}

window.addEventListener("online", () => { 
  if (view.code !== "offline" || view.busy) return;
  if (view.status) set({ code: "", request: "" });  // what was ticked stays
  else void (me ? open() : connect());
});
void begin();
