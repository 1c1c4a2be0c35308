import tailwindcss from "@tailwindcss/vite";
import { defineConfig, type Plugin } from "vite";

/** The operator's console: a page of its own in a folder of its own, so that the public port never has a file of it. */
export default defineConfig({
  base: "/console/",
  plugins: [tailwindcss(), places()],
  build: {
    outDir: "dist-console",
    emptyOutDir: true,
    target: "es2022",
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
    rollupOptions: { input: "web/console.html" },
  },
  // `CONSOLE_URL` is the console of a running `causeway dev` (`stack.json`: service `console`).
  server: { proxy: { "/ops": { target: process.env["CONSOLE_URL"] ?? "http://127.0.0.1:8001" } } },
});

/** While developing, every place of the console leads to its page, as it does at the gateway. */
function places(): Plugin {
  return {
    name: "console-places",
    configureServer: (server) => {
      server.middlewares.use((request, _response, next) => {
        if (request.headers.accept?.includes("text/html") === true) {
          request.url = "/console/console.html";
        }
        next();
      });
    },
  };
}
