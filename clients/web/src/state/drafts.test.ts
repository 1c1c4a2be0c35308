import { act, renderHook } from "@testing-library/react";
import { afterEach, expect, test, vi } from "vitest";
import { useDraft } from "./drafts";

afterEach(() => {
  vi.restoreAllMocks();
  sessionStorage.clear();
});

test("what is typed is there again, each in its place, and nothing is left of what is empty", () => {
  const first = renderHook(() => useDraft("ann.room.a"));
  act(() => first.result.current[1]("half a sentence"));
  first.unmount();
  const again = renderHook(() => useDraft("ann.room.a"));
  expect([again.result.current[0], renderHook(() => useDraft("ann.room.b")).result.current[0]]).toEqual(["half a sentence", ""]);
  act(() => again.result.current[1](""));
  expect(sessionStorage.length).toBe(0);
});

test("a browser that keeps nothing lets one type all the same", () => {
  vi.spyOn(Storage.prototype, "getItem").mockImplementation(() => { throw new Error("denied"); });
  vi.spyOn(Storage.prototype, "setItem").mockImplementation(() => { throw new Error("full"); });
  const { result } = renderHook(() => useDraft("x"));
  act(() => result.current[1]("typed"));
  expect(result.current[0]).toBe("typed");
});
