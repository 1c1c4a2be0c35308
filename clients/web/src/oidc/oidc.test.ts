import { UnauthorizedError } from "centrifuge";
import type { User, UserManager } from "oidc-client-ts";
import { expect, test } from "vitest";
import { claimOf, Oidc, oidcHere, type OidcAt } from "./oidc";

const AT: OidcAt = { authority: "https://id.example", client_id: "causeway", scope: "openid", token: "access_token", user_claim: "sub" };
const token = (claims: object): string => `h.${btoa(String.fromCharCode(...new TextEncoder().encode(JSON.stringify(claims)))).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "")}.s`;
const user = (more: object = {}): User => ({ access_token: token({ sub: "ann" }), id_token: "i", expires_in: 300, expired: false, refresh_token: "r", ...more }) as User;

function oidc(found: User | null, renewed: () => Promise<User | null> = () => Promise.resolve(user({ access_token: "new" }))): Oidc {
  const manager = { getUser: () => Promise.resolve(found), signinSilent: renewed } as unknown as UserManager;
  return new Oidc(AT, manager, (error) => error === "refused");
}

test("the page knows its issuer from its head, and most pages have none", () => {
  const page = new DOMParser().parseFromString(`<meta name="causeway-oidc" content='${JSON.stringify(AT)}'>`, "text/html");
  expect(oidcHere(page)).toEqual(AT);
  expect(oidcHere(new DOMParser().parseFromString("<p>", "text/html"))).toBeNull();
});

test("who is here is what the token's claim says, in any letters", () => {
  expect(claimOf(token({ sub: "ann", name: "Änne 🦊??>" }), "name")).toBe("Änne 🦊??>");
  expect(claimOf(token({ sub: 7 }), "sub")).toBe("");
});

test("the token of the sign-in serves once, each further time there is a new one", async () => {
  const here = oidc(user());
  expect([await here.getToken(), await here.getToken()]).toEqual([user().access_token, "new"]);
  expect(await oidc(user({ expires_in: 3 })).getToken()).toBe("new");
});

test("where the issuer gives none the sign-in is over; where it cannot be asked, it is asked again", async () => {
  const refused = (found: User | null, renewed?: () => Promise<User | null>): Promise<string> => oidc(found, renewed).getToken();
  await expect(refused(null)).rejects.toThrow(UnauthorizedError);
  await expect(refused(user({ expires_in: -1, refresh_token: undefined }))).rejects.toThrow(UnauthorizedError);
  await expect(refused(user({ expires_in: -1 }), () => Promise.reject("refused"))).rejects.toThrow(UnauthorizedError);
  await expect(refused(user({ expires_in: -1 }), () => Promise.reject(new TypeError("offline")))).rejects.toThrow(TypeError);
});
