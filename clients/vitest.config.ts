import { defineConfig } from "vitest/config";

export default defineConfig({
  test: { environment: "jsdom", testTimeout: 60_000, include: ["react/src/**/*.test.{ts,tsx}", "web/src/**/*.test.{ts,tsx}"] },
});
