export const signIn = {
  button: "Sign in",
  failed: (reason: string) => `You were not signed in: ${reason}.`,
  ended: "Your sign-in has run out. Sign in again.",
} as const;
