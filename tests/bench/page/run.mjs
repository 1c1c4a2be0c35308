// Lighthouse on one page of the application, as a signed-in user where one is given: `node run.mjs CHROMIUM URL [USER]` prints its figures.
import lighthouse from "lighthouse";
import puppeteer from "puppeteer-core";

const [chromium, url, user = ""] = process.argv.slice(2);
const browser = await puppeteer.launch({ executablePath: chromium, args: ["--no-sandbox"], headless: true });
try {
  const page = await browser.newPage();
  if (user !== "") {
    await page.evaluateOnNewDocument((name) => sessionStorage.setItem("causeway.demo_user", name), user);
  }
  const flags = { onlyCategories: ["performance", "accessibility"], disableStorageReset: true, logLevel: "error" };
  const { lhr } = await lighthouse(url, flags, undefined, page);
  if (lhr.runtimeError) {
    throw new Error(`${lhr.runtimeError.code}: ${lhr.runtimeError.message}`);
  }
  const faults = Object.values(lhr.audits).filter((audit) => audit.scoreDisplayMode === "binary" && audit.score === 0);
  const seen = await page.evaluate(() => document.querySelector("h1")?.textContent ?? "");
  const timings = Object.fromEntries(
    ["first-contentful-paint", "largest-contentful-paint", "total-blocking-time", "cumulative-layout-shift", "speed-index"].map((id) => [id, lhr.audits[id].numericValue]),
  );
  const scores = Object.fromEntries(Object.values(lhr.categories).map(({ id, score }) => [id, score * 100]));
  process.stdout.write(JSON.stringify({ ...scores, timings, seen, faults: faults.map(({ id }) => id), version: lhr.lighthouseVersion }));
} finally {
  await browser.close();
}
