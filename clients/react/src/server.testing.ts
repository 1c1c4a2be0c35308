import { Centrifuge } from "centrifuge";

type Json = Record<string, any>;

/** A server of the tests behind the real SDK: it answers as it is told, and connections may be cut. */
export class Server {
  readonly client: Centrifuge;
  readonly asked: Json[] = [];
  answers: Record<string, (request: Json) => Json> = {};
  private socket: FakeSocket | null = null;

  constructor() {
    const connect = (socket: FakeSocket): void => {
      this.socket = socket;
    };
    const take = (text: string): void => {
      for (const line of text.split("\n").filter(Boolean)) {
        this.take(JSON.parse(line) as Json);
      }
    };
    class Socket extends FakeSocket {
      constructor() {
        super(take);
        connect(this);
      }
    }
    this.client = new Centrifuge("ws://test/", { websocket: Socket, minReconnectDelay: 1, maxReconnectDelay: 1 });
  }

  push(channel: string, push: Json): void {
    this.socket?.receive({ push: { channel, ...push } });
  }

  publish(channel: string, offset: number, data: unknown): void {
    this.push(channel, { pub: { offset, data } });
  }

  cut(): void {
    this.socket?.close();
  }

  private take(command: Json): void {
    this.asked.push(command);
    const kind = Object.keys(command).find((key) => key !== "id");
    if (kind === undefined || command["id"] === undefined) {
      return;
    }
    const defaults: Record<string, () => Json> = { connect: () => ({ connect: { client: "me", version: "test" } }) };
    const answer = (this.answers[kind] ?? defaults[kind] ?? (() => ({ [kind]: {} })))(command[kind] as Json);
    this.socket?.receive({ id: command["id"], ...answer });
  }
}

class FakeSocket {
  static readonly [key: string]: unknown;
  readyState = 0;
  binaryType = "blob";
  onopen: (() => void) | null = null;
  onmessage: ((event: { data: string }) => void) | null = null;
  onclose: ((event: { code: number; reason: string }) => void) | null = null;
  onerror: (() => void) | null = null;

  constructor(private readonly take: (text: string) => void) {
    setTimeout(() => {
      this.readyState = 1;
      this.onopen?.();
    });
  }

  send(text: string): void {
    this.take(text);
  }

  receive(reply: Json): void {
    setTimeout(() => this.onmessage?.({ data: JSON.stringify(reply) }));
  }

  close(): void {
    this.readyState = 3;
    setTimeout(() => this.onclose?.({ code: 1006, reason: "cut" }));
  }
}
