// Made by tests/support/pane_types.py from the service's OpenAPI document; do not edit.

export interface Affirm {
  number: number;
}

export interface Attachment {
  number: number;
  what: string;
  bytes: number;
}

export interface Bearer {
  bearer: string;
  seconds: number;
}

export interface Checked {
  verdict: "pass" | "block" | "review";
  lines: Line[];
}

export interface Config {
  ways: ("entra" | "exchange" | "demo")[];
  client_id: string;
  authority: string;
  scope: string;
  contact: string;
  notice_url: string;
}

export interface CrmRecord {
  record: string;
  id: string;
  name: string;
  detail: string;
  why: string;
  words: string;
}

export interface Decide {
  act: "link" | "dismiss" | "unlink";
  record: string;
}

export interface Found {
  records: CrmRecord[];
  beyond: number;
}

export interface Item {
  mailbox: string;
  item_id?: string;
  internet_message_id?: string;
  kind?: ItemKind;
}

export type ItemKind = "mail" | "appointment" | "task";

export interface Line {
  place: string;
  code: string;
  words: string;
  count: number;
}

export interface Me {
  address: string;
  rules: number;
  trained: boolean;
  staff: boolean;
}

export interface Preview {
  things: StoredThing[];
}

export interface Questions {
  questions: CrmRecord[][];
  records: CrmRecord[];
}

export interface Report {
  code: string;
  text?: string;
}

export interface ReportCodes {
  codes: Record<string, string>;
}

export interface Rules {
  number: number;
  text: string;
  since: string;
  signed: boolean;
}

export interface Search {
  text: string;
}

export interface SignIn {
  kind: "entra" | "exchange" | "demo";
  token?: string;
  mailbox?: string;
}

export interface Status {
  id: string;
  state: "ready" | "queued" | "scanning" | "linked" | "blocked" | "unreadable" | "pending-review" | "released" | "refused" | "gone" | "private" | "untrack-asked" | "untracked";
  outlook: "Checking" | "Tracked" | "Held for privacy review" | "Not tracked";
  step: string;
  steps: string[];
  lines: Line[];
  case: string;
  opened: string | null;
  joined: boolean;
  redacted: boolean;
  reported: "" | "waiting" | "answered";
  answer: string;
  withdrawn: boolean;
  without: number[];
  others: number;
  records: CrmRecord[];
  trackers: Tracker[];
  can: string[];
}

export interface StoredThing {
  what: string;
  amount: number;
  unit: string;
}

export interface Suggestions {
  sure: CrmRecord[];
  words: string;
  records: CrmRecord[];
  questions: CrmRecord[][];
  beyond: number;
  attachments: Attachment[];
}

export interface Track {
  mailbox: string;
  item_id?: string;
  internet_message_id?: string;
  kind?: ItemKind;
  leave_out?: number[];
  records?: string[];
}

export interface Tracker {
  who: string;
  at: string;
  route: string;
}

export interface Trimmed {
  mailbox: string;
  item_id?: string;
  internet_message_id?: string;
  kind?: ItemKind;
  leave_out?: number[];
}
