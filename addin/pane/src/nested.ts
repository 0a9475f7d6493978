// MSAL, loaded only where Outlook has nested app authentication. Tokens stay in its memory cache.
import { createNestablePublicClientApplication, type IPublicClientApplication } from "@azure/msal-browser";
import type { Config } from "./apitypes";

let made: Promise<IPublicClientApplication> | null = null;
let fresh = false;

/** After signing out a token that was issued before opens nothing: the next one is asked for anew. */
export function forget(): void { fresh = true; }

export async function token(config: Config, ask: boolean): Promise<string> {
  made ??= createNestablePublicClientApplication({
    auth: { clientId: config.client_id, authority: config.authority, knownAuthorities: [new URL(config.authority).host] },
    cache: { cacheLocation: "memoryStorage" },
    system: { loggerOptions: { piiLoggingEnabled: false, loggerCallback: () => undefined } },
  });
  const client = await made.catch((error: unknown) => { made = null; throw error; });
  const wanted = { scopes: [config.scope], forceRefresh: fresh };
  try {
    const told = await client.acquireTokenSilent(wanted);
    fresh = false;
    return told.accessToken;
  } catch (error) {
    if (!ask) throw error;  // a window may be opened after a press only
    const told = await client.acquireTokenPopup(wanted);
    fresh = false;
    return told.accessToken;
  }
}
