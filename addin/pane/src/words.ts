// What the pane says for a state or code. No text of an item is ever part of it.

export interface Words { title: string; text: string }

export const STATES: Record<string, Words> = {
  starting: { title: "Starting", text: "Waiting for Outlook." },
  "no-office": { title: "Outlook did not answer", text: "The part of Outlook that add-ins need could not be loaded. Nothing was tracked. Try again, or give the item the category \"Track in CRM\"." },
  outside: { title: "Open this in Outlook", text: "This page works as a pane in Outlook, beside an e-mail or an appointment." },
  "signed-out": { title: "Sign in", text: "Sign in with the account of this mailbox to track items." },
  "no-way": { title: "This Outlook cannot sign in here", text: "Give the item the category \"Track in CRM\" instead, or update Outlook." },
  unknown: { title: "You are not entered as a user", text: "Ask the administrator of your division." },
  inactive: { title: "Your account is not active", text: "Ask the administrator of your division." },
  rules: { title: "Rules of behaviour", text: "Please read and accept them before you track anything." },
  "no-item": { title: "No item is open", text: "Choose an e-mail or an appointment." },
  unsaved: { title: "Save or send it first", text: "An item that was not saved yet cannot be tracked. Save or send it, then try again." },
  ready: { title: "Not tracked", text: "Check where it belongs, then track it. It is checked for personal information first." },
  queued: { title: "Checking", text: "Waiting for its turn. You may close the pane; it goes on." },
  scanning: { title: "Checking", text: "You may close the pane; it goes on." },
  linked: { title: "Tracked", text: "It is in the CRM." },
  released: { title: "Tracked", text: "A reviewer looked at it and let it pass." },
  "untrack-asked": { title: "Untracking asked for", text: "It is still in the CRM until an operator has untracked it." },
  untracked: { title: "Untracked", text: "It is not tracked for you any more. What the CRM has of it stays, and so does the record of what was done." },
  blocked: { title: "Held for privacy review", text: "It was not linked to the CRM. It is held, encrypted, because of:" },
  unreadable: { title: "Could not be checked", text: "It was not linked to the CRM, because not all of it could be read:" },
  "pending-review": { title: "In privacy review", text: "A reviewer is looking at it. It is not in the CRM." },
  refused: { title: "Not tracked", text: "A reviewer confirmed that it may not be in the CRM. The held copy was destroyed." },
  gone: { title: "Not tracked", text: "It was moved or deleted before it could be read. If it is still there, track it again." },
  private: { title: "Not tracked", text: "It is marked private or confidential. Nothing of it was read or kept." },
  "no-access": { title: "Not your mailbox", text: "You may track items of your own mailbox, and of those whose delegate you are." },
  "not-served": { title: "This mailbox is not watched", text: "mailweir does not look after this mailbox. Ask your administrator." },
  training: { title: "Training has expired", text: "Tracking is possible again once the course is recorded." },
  "no-role": { title: "You may not track items", text: "Your account has no role for it. Ask the administrator of your division." },
};

export const ADVICE = "Keep such information in the system made for it. Take the lines or the attachment out and track the item again, or say that this is wrong: a reviewer looks at it.";
export const UNREADABLE = "Take off the password, ask the sender for a version with text, or leave that part out, and track the item again. Or ask a reviewer.";

export const FOUND_NOTHING = "The check found nothing";
export const WOULD_HOLD = "The check would hold it";

export const DECIDED: Record<"link" | "dismiss" | "unlink", string> = {
  link: "The link was added.", dismiss: "It is not suggested for this item again.", unlink: "The link was taken off.",
};

export const LOST: Record<"away" | "busy", string> = {
  away: "The service does not answer just now. What you asked for is kept and goes on by itself.",
  busy: "The service is busy. What you asked for is kept and goes on by itself.",
};

export const STEPS: Record<string, string> = {
  fetch: "Fetch the item", read: "Read text and attachments", decide: "Check for personal information", link: "Link to the CRM",
};

export const ROUTES: Record<string, string> = { request: "pane", category: "category", folder: "folder", mailbox: "mailbox" };

const PROBLEMS: Record<string, string> = {
  "item-gone": "The item is not where Outlook says it is. If it was moved, open it there and try again.",
  "item-private": "It is marked private or confidential, so nothing of it was read.",
  "item-unreadable": "The mail server cannot hand the item over.",
  "words-refused": "Not kept: your words hold personal information. Say it by kind and place only.",
  "bad-state": "It is not possible now: somebody was quicker. Look at it again.",
  "too-often": "Too many requests. Wait a minute.",
  "training-expired": "Your training has expired.",
  "attachment-stays": "It is not certain that this attachment alone can be left out, so the whole item would be held. Take it off in Outlook, or track all of it.",
  "token-refused": "The sign-in was not accepted. Close Outlook, open it again and sign in; if that does not help, tell your administrator the number of the request.",
  "no-proof": "Outlook gave no proof of who you are. Try again; if that does not help, close Outlook and open it again.",
  "sign-in-unavailable": "The sign-in service does not answer just now. Try again in a while.",
  "not-found": "It is not there any more, or not yours to see. Look again.",
  role: "Your account may not do that.",
  separation: "Your account may not do that.",
  "not-yours": "It is not yours to change.",
  "record-gone": "This record is not there any more. Search again.",
  "mailbox-parked": "The mailbox refuses mailweir. The operator has to mend it.",
  "mailbox-unreachable": "The mailbox cannot be reached just now.",
  "model-missing": "The service cannot check items just now. The operator has to mend it.",
  offline: "The service cannot be reached. Check the connection.",
};

export function problem(code: string): string {
  return PROBLEMS[code] ?? "It did not work. Nothing was linked by it.";
}

export function when(iso: string): string {
  const moment = new Date(iso);
  return Number.isNaN(moment.getTime()) ? "" : moment.toLocaleString(undefined, { dateStyle: "medium", timeStyle: "short" });
}

export function amount(count: number, unit: string): string {
  if (unit === "bytes") return count >= 1e6 ? `${(count / 1e6).toFixed(1)} MB` : count >= 1000 ? `${Math.round(count / 1000)} kB` : `${count} bytes`;
  return unit ? `${count.toLocaleString()} ${unit}` : "";
}

export function many(count: number, one: string, several: string): string { return `${count} ${count === 1 ? one : several}`; }
