import { expect, test } from "vitest";
import { minor, money } from "./money";

test("amounts are typed as people write them and kept in minor units", () => {
  expect(["12", "12.5", "12,50", " 7 ", "0.01"].map((typed) => minor(typed, "EUR"))).toEqual([1200, 1250, 1250, 700, 1]);
  expect(["", "x", "1.234", "-1", "1e3", "12.5.1"].map((typed) => minor(typed, "EUR"))).toEqual(Array(6).fill(null));
  expect([minor("500", "JPY"), minor("0.5", "JPY")]).toEqual([500, null]);
  expect([money(1250, "EUR"), money(500, "JPY")]).toEqual(["€12.50", "¥500"]);
});
