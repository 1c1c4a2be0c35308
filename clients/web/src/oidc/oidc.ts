import { UnauthorizedError } from "centrifuge";
import type { User, UserManager } from "oidc-client-ts";

/** Where people sign in, as the gateway tells the page: its `[web.oidc]`, and the claim that its `client.token` reads. */
export interface OidcAt {
  authority: string;
  client_id: string;
  scope: string;
  token: "access_token" | "id_token";
  user_claim: string;
}

const SOON_S = 10;

/** The issuer of this page; null where the gateway names none. */
export function oidcHere(page: Document = document): OidcAt | null {
  const told = page.querySelector<HTMLMetaElement>('meta[name="causeway-oidc"]')?.content;
  return told === undefined ? null : (JSON.parse(told) as OidcAt);
}

/** The value of a claim in a token, which the gateway verifies; here it is only shown. "" where it has none. */
export function claimOf(token: string, claim: string): string {
  const payload = token.split(".")[1] ?? "";
  const bytes = Uint8Array.from(atob(payload.replaceAll("-", "+").replaceAll("_", "/")), (each) => each.charCodeAt(0));
  const claims = JSON.parse(new TextDecoder().decode(bytes)) as Record<string, unknown>;
  return typeof claims[claim] === "string" ? claims[claim] : "";
}

/** One sign-in with an OIDC issuer: authorization code with PKCE, refreshed by refresh tokens. */
export class Oidc {
  private asked = false;

  constructor(
    private readonly at: OidcAt,
    private readonly manager: UserManager,
    private readonly refused: (error: unknown) => boolean,
  ) {}

  /** Loads what it takes, which no other page has to. */
  static async open(at: OidcAt): Promise<Oidc> {
    const { ErrorResponse, UserManager, WebStorageStateStore } = await import("oidc-client-ts");
    const here = `${window.location.origin}/`;
    const manager = new UserManager({
      authority: at.authority,
      client_id: at.client_id,
      scope: at.scope,
      redirect_uri: here,
      post_logout_redirect_uri: here,
      userStore: new WebStorageStateStore({ store: sessionStorage }), // of this tab alone, gone with it
      automaticSilentRenew: false, // the connection asks when it needs a new one
    });
    return new Oidc(at, manager, (error) => error instanceof ErrorResponse);
  }

  /** Who comes back from the issuer, or is signed in already; null: nobody. Throws the issuer's refusal. */
  async who(): Promise<string | null> {
    const parameters = new URLSearchParams(window.location.search);
    if (parameters.has("state") && (parameters.has("code") || parameters.has("error"))) {
      const place = window.location.pathname;
      try {
        const user = await this.manager.signinRedirectCallback();
        window.history.replaceState(null, "", typeof user.state === "string" ? user.state : place);
      } catch (error) {
        window.history.replaceState(null, "", place);
        throw error;
      }
    }
    const user = await this.manager.getUser();
    return user === null || (user.expired === true && user.refresh_token === undefined) ? null : claimOf(this.of(user), this.at.user_claim);
  }

  /** Leaves for the issuer, and comes back to where it was. */
  async signIn(): Promise<void> {
    await this.manager.signinRedirect({ state: window.location.pathname });
  }

  /**
   * The SDK's `getToken`. It asks once at first and then only when the token has run out, so each further time there is a new one.
   * Throws UnauthorizedError where the issuer gives none; other errors are tried again.
   */
  readonly getToken = async (): Promise<string> => {
    const user = await this.manager.getUser();
    if (user === null) {
      throw new UnauthorizedError("nobody is signed in");
    }
    const fresh = !this.asked && (user.expires_in === undefined || user.expires_in > SOON_S);
    this.asked = true;
    return fresh ? this.of(user) : this.of(await this.renewed(user));
  };

  /** Out, at the issuer too where it offers that. */
  async leave(): Promise<void> {
    const metadata = await this.manager.metadataService.getMetadata();
    await (metadata.end_session_endpoint === undefined ? this.manager.removeUser() : this.manager.signoutRedirect());
  }

  /** Forgets who was here, in this tab alone. */
  async forget(): Promise<void> {
    await this.manager.removeUser();
  }

  private async renewed(user: User): Promise<User> {
    if (user.refresh_token === undefined) {
      throw new UnauthorizedError("the sign-in has run out");
    }
    try {
      const found = await this.manager.signinSilent();
      if (found !== null) {
        return found;
      }
    } catch (error) {
      if (!this.refused(error)) {
        throw error;
      }
    }
    throw new UnauthorizedError("the issuer gives no new token");
  }

  private of(user: User): string {
    return (this.at.token === "id_token" ? user.id_token : user.access_token) ?? "";
  }
}
