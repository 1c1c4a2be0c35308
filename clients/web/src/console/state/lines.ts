/** Newline-delimited JSON out of the pieces that a stream brings, which end wherever they like. */
export class Lines {
  private rest = "";
  private readonly decoder = new TextDecoder();

  /** The whole lines that this piece completes, as text; empty ones are left out. */
  push(piece: Uint8Array): string[] {
    const parts = (this.rest + this.decoder.decode(piece, { stream: true })).split("\n");
    this.rest = parts.pop() ?? "";
    return parts.filter((line) => line.trim() !== "");
  }
}
