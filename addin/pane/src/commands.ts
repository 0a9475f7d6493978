// The button that tracks at once: one request, and a line above the item. What it cannot do, the pane does.
import { api, renew, useSignIn } from "./api";
import { proof, way } from "./auth";
import * as host from "./host";

const OTHERWISE = "Open the pane \"Track in CRM\" to track this item.";
const PATIENCE = 60_000;  // milliseconds; Outlook shows that it is busy until then

async function asked(): Promise<string> {
  const found = await host.opened();
  if (found.kind !== "item") return "";
  const config = await api.config();
  const chosen = way(config);
  if (!chosen) return "";
  useSignIn(proof(chosen, config, () => false));
  await renew();
  const status = await api.track(found.item);
  return status.outlook === "Checking" ? "Being checked for the CRM. The category shows the outcome." : status.outlook;
}

async function trackNow(event: Office.AddinCommands.Event): Promise<void> {
  let text = "";
  try { text = await host.within(asked(), () => "", PATIENCE); } catch { /* the line says where to go on */ }
  try { await host.notify("mailweir", text || OTHERWISE, !text); } finally { event.completed(); }
}

void host.start().then((how) => { if (how === "ready") Office.actions?.associate("trackNow", trackNow); });
