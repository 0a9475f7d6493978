// A page that stands for Outlook in the demo: items on the left, the item in the middle, the real pane on the right.
export {};
interface Entry { id: string; message: string; kind: string; subject: string; from: string; text: string; state: string }
interface Box { address: string; items: Entry[] }

const who = document.getElementById("who") as HTMLSelectElement;
const list = document.getElementById("items") as HTMLElement;
const shown = document.getElementById("item") as HTMLElement;
const pane = document.getElementById("pane") as HTMLIFrameElement;
const outlook = window as unknown as { mailweirOutlook: unknown };
let boxes: Box[] = [];
let current = "";

function choose(box: Box, entry: Entry): void {
  current = entry.id;
  outlook.mailweirOutlook = { address: box.address, set: 5, account: "office365",
    item: { itemId: entry.id, internetMessageId: entry.message, itemType: entry.kind === "appointment" ? "appointment" : "message" } };
  const parts = [["h2", entry.subject || "(no subject)"], ["p", entry.from], ["pre", entry.text]] as const;
  shown.replaceChildren(...parts.map(([tag, text]) => { const made = document.createElement(tag); made.textContent = text; return made; }));
  draw(box);
  pane.contentWindow?.postMessage("item", location.origin);
}

function draw(box: Box): void {
  list.replaceChildren(...box.items.map((entry) => {
    const line = document.createElement("li"), press = document.createElement("button"), state = document.createElement("span");
    press.type = "button";
    press.textContent = entry.subject || "(no subject)";
    press.dataset["item"] = entry.id;
    if (entry.id === current) press.setAttribute("aria-current", "true");
    press.addEventListener("click", () => choose(box, entry));
    state.textContent = entry.state;
    line.append(press, state);
    return line;
  }));
}

async function load(): Promise<void> {
  boxes = await (await fetch("/pane/demo/items", { cache: "no-store", credentials: "omit" })).json() as Box[];
}

function switched(): void {
  const box = boxes.find((one) => one.address === who.value);
  const first = box?.items[0];
  if (!box || !first) return;
  current = "";
  choose(box, first);
  pane.src = "/pane/";
}

void load().then(() => {
  who.replaceChildren(...boxes.map((box) => { const made = document.createElement("option"); made.value = made.textContent = box.address; return made; }));
  who.addEventListener("change", switched);
  switched();
  setInterval(() => void load().then(() => { const box = boxes.find((one) => one.address === who.value); if (box) draw(box); }).catch(() => undefined), 3000);
});
