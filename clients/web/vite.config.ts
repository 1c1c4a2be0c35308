import tailwindcss from "@tailwindcss/vite";
import { defineConfig } from "vite";

export default defineConfig({
  plugins: [tailwindcss()],
  build: { target: "es2022", assetsInlineLimit: 0, modulePreload: { polyfill: false }, reportCompressedSize: false },
  // `npm run dev` beside a running `causeway dev`.
  server: { proxy: { "/connection": { target: "http://127.0.0.1:8000", ws: true } } },
});
