/** Several texts that grow at the same time, printed one after another. */

/** The first text that has not ended goes straight out; what comes for later ones waits for its turn. */
export class OrderedOutput {
  readonly #out: (text: string) => void;
  readonly #waiting = new Map<number, string>();
  readonly #ended = new Set<number>();
  #current = 0;

  constructor(out: (text: string) => void) {
    this.#out = out;
  }

  /** @param index 0 is the first text */
  write(index: number, text: string): void {
    if (index === this.#current) this.#out(text);
    else this.#waiting.set(index, (this.#waiting.get(index) ?? '') + text);
  }

  /** Nothing more comes for this text. */
  end(index: number): void {
    this.#ended.add(index);
    while (this.#ended.has(this.#current)) {
      this.#current++;
      const text = this.#waiting.get(this.#current);
      if (text !== undefined) this.#out(text);
    }
  }
}

export interface TextPiecesOptions {
  readonly head: string;
  readonly interval: number;
  readonly out: (text: string) => void;
}

/** Pieces of one text, handed on `interval` at a time, with a head before the first. */
export class TextPieces {
  readonly #head: string;
  readonly #interval: number;
  readonly #out: (text: string) => void;
  #pieces: string[] = [];
  #isEmpty = true;

  constructor({ head, interval, out }: TextPiecesOptions) {
    this.#head = head;
    this.#interval = interval;
    this.#out = out;
  }

  /** True until something was written. */
  get isEmpty(): boolean {
    return this.#isEmpty;
  }

  add(piece: string): void {
    this.#pieces.push(piece);
    if (this.#pieces.length >= this.#interval) this.flush();
  }

  flush(): void {
    if (this.#pieces.length > 0) this.write(this.#pieces.join(''));
    this.#pieces = [];
  }

  write(text: string): void {
    this.#out(this.#isEmpty ? this.#head + text : text);
    this.#isEmpty = false;
  }
}
