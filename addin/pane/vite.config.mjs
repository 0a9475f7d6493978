// Builds the pane into built/, which ships in the wheel: operators need no Node. Run by `npm run build`.
import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { defineConfig } from "vite";

/** What built/ was built from, so that a test sees a source that was changed since. */
function sources() {
  const names = [...readdirSync("src").map((name) => `src/${name}`), ...readdirSync(".").filter((name) => name.endsWith(".html"))];
  const digest = createHash("sha256");
  for (const name of names.sort()) digest.update(`${name}\n`).update(readFileSync(name));
  return { name: "sources", generateBundle() { this.emitFile({ type: "asset", fileName: "sources.sha256", source: `${digest.copy().digest("hex")}\n` }); } };
}

export default defineConfig({
  plugins: [sources()],
  base: "/pane/static/",
  build: {
    target: "es2020",
    modulePreload: false,
    assetsInlineLimit: 0,
    cssCodeSplit: true,
    assetsDir: "",
    outDir: "built",
    emptyOutDir: true,
    rollupOptions: {
      input: { pane: "pane.html", commands: "commands.html", simulator: "simulator.html", office: "src/office.ts" },
      output: {
        entryFileNames: (chunk) => (chunk.name === "office" ? "simulator.office.js" : "[name]-[hash].js"),
        chunkFileNames: "[name]-[hash].js",
        assetFileNames: "[name]-[hash][extname]",
      },
    },
  },
});
