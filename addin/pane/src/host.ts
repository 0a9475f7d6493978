// Outlook, as far as the pane needs it. Requirement set Mailbox 1.5; everything newer is asked for before it is used.
import type { Item } from "./apitypes";

export type Opened = { kind: "item"; item: Item } | { kind: "no-item" } | { kind: "unsaved" };
export type Started = "ready" | "no-office" | "outside";
export const PATIENCE = 8000;
const QUESTION = 5000;  // milliseconds; callbacks of Outlook that do not come count as "it does not say"

function has(set: string, version: string): boolean {
  try { return Office.context.requirements.isSetSupported(set, version); } catch { return false; }
}

/** Load office.js and wait for it; outside Outlook it may never answer. */
export function start(patience = PATIENCE): Promise<Started> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve("no-office"), patience);
    const done = (how: Started) => { clearTimeout(timer); resolve(how); };
    const url = document.querySelector<HTMLMetaElement>('meta[name="office-js"]')?.content ?? "";
    const ready = () => {
      if (typeof Office === "undefined") { done("no-office"); return; }
      Office.onReady((info) => done(info?.host && Office.context?.mailbox ? "ready" : "outside")).catch(() => done("no-office"));
    };
    if (typeof Office !== "undefined") { ready(); return; }
    const script = document.createElement("script");
    script.src = url;
    script.onload = ready;
    script.onerror = () => done("no-office");
    document.head.append(script);
  });
}

export function address(): string { return Office.context.mailbox.userProfile.emailAddress; }

export function accountType(): string {
  if (!has("Mailbox", "1.6")) return "";
  return (Office.context.mailbox.userProfile as { accountType?: string }).accountType ?? "";
}

export function nested(): boolean { return has("NestedAppAuth", "1.1"); }

/** What Outlook answers, or `otherwise` when it does not within the time. */
export function within<T>(answer: Promise<T>, otherwise: () => T | Promise<T>, milliseconds = QUESTION): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => { Promise.resolve().then(otherwise).then(resolve, reject); }, milliseconds);
    answer.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}

export function identityToken(): Promise<string> {
  const asked = new Promise<string>((resolve, reject) => Office.context.mailbox.getUserIdentityTokenAsync((told) =>
    told.status === Office.AsyncResultStatus.Succeeded ? resolve(told.value) : reject(new Error("no identity token"))));
  return within(asked, () => Promise.reject(new Error("no answer")), 4 * QUESTION);
}

/** The item beside the pane now. Ids only; the service checks each of them. */
export async function opened(): Promise<Opened> {
  const item = Office.context.mailbox.item as (Office.MessageRead & Office.AppointmentRead & Office.MessageCompose) | null | undefined;
  if (!item) return { kind: "no-item" };
  const kind = item.itemType === Office.MailboxEnums.ItemType.Appointment ? "appointment" : "mail";
  const mailbox = await owner(item);
  let id = typeof item.itemId === "string" ? item.itemId : "";
  if (!id && typeof item.getItemIdAsync === "function" && has("Mailbox", "1.8")) id = await savedId(item);
  const message = typeof item.internetMessageId === "string" ? item.internetMessageId : "";
  if (!id && !message) return { kind: "unsaved" };
  return { kind: "item", item: { mailbox, item_id: id, internet_message_id: message, kind } };
}

function savedId(item: Office.MessageCompose): Promise<string> {
  return within(new Promise((resolve) => item.getItemIdAsync((told) =>
    resolve(told.status === Office.AsyncResultStatus.Succeeded ? told.value : ""))), () => "");
}

/** Whose mailbox the item lies in: a shared one where Outlook says so, else the user's. */
function owner(item: object): Promise<string> {
  const shared = (item as { getSharedPropertiesAsync?: (done: (told: Office.AsyncResult<Office.SharedProperties>) => void) => void }).getSharedPropertiesAsync;
  if (typeof shared !== "function" || !has("Mailbox", "1.8")) return Promise.resolve(address());
  return within(new Promise((resolve) => {
    try {
      shared.call(item, (told) => resolve(told.status === Office.AsyncResultStatus.Succeeded && told.value?.owner ? told.value.owner : address()));
    } catch { resolve(address()); }
  }), address);
}

let listening = false;

/** Call back when another item is chosen while the pane stays open. Asked for once, however often the pane begins. */
export function onSwitch(changed: () => void): void {
  if (listening || !has("Mailbox", "1.5")) return;
  listening = true;
  try { Office.context.mailbox.addHandlerAsync(Office.EventType.ItemChanged, changed, () => undefined); } catch { /* not pinned */ }
}

/** Follow Outlook's theme where it tells one: dark or light, by its background. */
export function theme(): void {
  let background = "";
  try { background = Office.context.officeTheme?.bodyBackgroundColor ?? ""; } catch { return; }
  const found = /^#?([0-9a-f]{2})([0-9a-f]{2})([0-9a-f]{2})/i.exec(background);
  if (!found) return;
  const [r, g, b] = found.slice(1).map((part) => parseInt(part, 16)) as [number, number, number];
  document.documentElement.dataset["theme"] = 0.2126 * r + 0.7152 * g + 0.0722 * b < 110 ? "dark" : "light";
}

/** A line above the item, where this Outlook has one. At most 150 characters. */
export function notify(key: string, text: string, wrong: boolean): Promise<void> {
  return within(new Promise<void>((resolve) => {
    const bar = (Office.context.mailbox.item as Office.MessageRead | null)?.notificationMessages;
    if (!bar || !has("Mailbox", "1.3")) { resolve(); return; }
    const kinds = Office.MailboxEnums.ItemNotificationMessageType;
    bar.replaceAsync(key, wrong
      ? { type: kinds.ErrorMessage, message: text.slice(0, 150) }
      : { type: kinds.InformationalMessage, message: text.slice(0, 150), icon: "Icon.16", persistent: false }, () => resolve());
  }), () => undefined);
}
