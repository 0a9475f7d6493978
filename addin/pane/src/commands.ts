// The button that tracks at once: one request, and a line above the item. What it cannot do, the pane does.
import { api, renew, useSignIn } from "./api";
import { proof, way } from "./auth";
import * as host from "./host";

async function trackNow(event: Office.AddinCommands.Event): Promise<void> {
  let text = "Open the pane \"Track in CRM\" to track this item.";
  let wrong = true;
  try {
    const config = await api.config();
    const chosen = way(config);
    const found = await host.opened();
    if (chosen && found.kind === "item") {
      useSignIn(proof(chosen, config, () => false));
      await renew();
      const status = await api.track(found.item);
      text = status.outlook === "Checking" ? "Being checked for the CRM. The category shows the outcome." : status.outlook;
      wrong = false;
    }
  } catch { /* the line says where to go on */ }
  await host.notify("mailweir", text, wrong);
  event.completed();
}

void host.start().then((how) => { if (how === "ready") Office.actions?.associate("trackNow", trackNow); });
