// How the pane proves who calls: nested app authentication on Exchange Online, Exchange's identity token on premises.
import type { Config } from "./apitypes";
import type { SignIn } from "./api";
import * as host from "./host";

const SILENT = 20_000;  // milliseconds

export type Way = "entra" | "exchange" | "demo";

/** The way this Outlook and this service have in common; null when there is none. */
export function way(config: Config): Way | null {
  const has = (kind: Way) => config.ways.includes(kind);
  if (has("demo")) return "demo";
  const type = host.accountType();
  if (has("exchange") && (type === "enterprise" || (type === "" && !(has("entra") && host.nested())))) return "exchange";
  if (has("entra") && type !== "enterprise" && host.nested()) return "entra";
  return null;
}

/** The proof for this way. `ask` says whether a window may be opened for it, which needs a press of the user. */
export function proof(chosen: Way, config: Config, ask: () => boolean): SignIn {
  return async () => {
    const mailbox = host.address();
    if (chosen === "exchange") return { kind: chosen, token: await host.identityToken(), mailbox };
    if (chosen === "entra") {
      const asking = ask();  // a window waits for its user; without one the bridge has to answer
      const told = import("./nested").then((nested) => nested.token(config, asking));
      return { kind: chosen, token: await (asking ? told : host.within(told, () => Promise.reject(new Error("no answer")), SILENT)), mailbox };
    }
    return { kind: chosen, token: "", mailbox };
  };
}
