import { lot, lots } from "./texts/auctions";
import { chat } from "./texts/chat";
import { playground } from "./texts/playground";
import { signIn } from "./texts/signin";

/** Every text that people read, in one place: a module of `texts/` for each part of the page. */
export const texts = {
  name: "Causeway",
  promise: "Nothing lost. Once. In order.",
  skip: "Skip to the content",
  enter: {
    about: "A real-time backend for Python teams. Behind this door: a chat and live auctions, on real processes of this machine.",
    dare: "Pick a name, open a second window beside this one, then kill whatever you like and see the promise kept.",
    inside: "Behind the door",
    lots: "On offer right now",
    lines: "Being said right now",
    seen: (count: number, lost: number, doubled: number, outOfOrder: number) =>
      `${count === 1 ? "1 message" : `${count} messages`} went by this window: ${lost} lost, ${doubled} doubled, ${outOfOrder} out of order.`,
    label: "Your name",
    button: "Enter",
    empty: "Say a name first.",
    refused: (reason: string) => `You were not let in: ${reason}.`,
  },
  nav: { label: "Places", lobby: "Lobby", lots: "Auctions", leave: "Leave", you: (name: string) => `You are ${name}` },
  connection: {
    label: "Connection",
    connecting: "Connecting …",
    connected: "Connected",
    reconnecting: "Reconnecting … What you write stays here.",
    disconnected: (reason: string) => `Disconnected: ${reason}`,
    recovered: (count: number) =>
      count === 0 ? "Connected again, nothing was missed" : `Connected again, ${count === 1 ? "1 message" : `${count} messages`} caught up`,
    reloaded: "Connected again, everything was loaded anew",
  },
  chat,
  lots,
  lot,
  playground,
  signIn,
  notFound: "There is nothing here.",
} as const;
