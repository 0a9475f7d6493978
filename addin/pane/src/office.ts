// The simulator's office.js: enough of Outlook for the pane, fed by the page around it. Only ever served in the demo.
(() => {
  interface Shown { address: string; item: { itemId?: string; internetMessageId?: string; itemType: string; saved?: string } | null; set: number; account: string }
  interface Around extends Window { mailweirOutlook?: Shown; mailweirLines?: unknown[]; mailweirCommands?: Record<string, unknown> }
  const around = window.parent as Around;
  const handlers: (() => void)[] = [];
  const shown = (): Shown => around.mailweirOutlook ?? { address: "", item: null, set: 5, account: "office365" };
  const succeeded = "succeeded";
  const item = () => {
    const one = shown().item;
    if (!one) return one;
    const { saved, ...rest } = one;  // `saved`: an item that is being written has its id only when it was saved
    const writing = saved === undefined ? {} : { getItemIdAsync: (done: (told: unknown) => void) => done(saved ? { status: succeeded, value: saved } : { status: "failed" }) };
    return { ...rest, ...writing, notificationMessages: { replaceAsync: (_: string, line: unknown, done: () => void) => { (around.mailweirLines ??= []).push(line); done(); } } };
  };
  const office = {
    onReady: (done: (info: unknown) => void) => { const info = { host: "Outlook", platform: "OfficeOnline" }; queueMicrotask(() => done(info)); return Promise.resolve(info); },
    AsyncResultStatus: { Succeeded: succeeded, Failed: "failed" },
    EventType: { ItemChanged: "olkItemSelectedChanged" },
    MailboxEnums: { ItemType: { Message: "message", Appointment: "appointment" }, ItemNotificationMessageType: { InformationalMessage: "informationalMessage", ErrorMessage: "errorMessage" } },
    actions: { associate: (name: string, command: unknown) => { (around.mailweirCommands ??= {})[name] = command; } },
    context: {
      requirements: { isSetSupported: (name: string, version: string) => name === "Mailbox" && Number(version.split(".")[1]) <= shown().set },
      officeTheme: {},
      mailbox: {
        get item() { return item(); },
        get userProfile() { return { emailAddress: shown().address, accountType: shown().account }; },
        addHandlerAsync: (_: string, handler: () => void, done: (told: unknown) => void) => { handlers.push(handler); done({ status: succeeded }); },
        getUserIdentityTokenAsync: (done: (told: unknown) => void) => done({ status: "failed" }),
      },
    },
  };
  window.addEventListener("message", (event) => { if (event.origin === location.origin && event.data === "item") handlers.forEach((one) => one()); });
  (window as unknown as { Office: unknown }).Office = office;
})();
