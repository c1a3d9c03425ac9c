/** Notices that a stream has been silent for a while, again and again until it ends. */
export class Silence {
  readonly #timer: NodeJS.Timeout | undefined;

  /**
   * @param afterMs undefined never calls
   * @param onSilence may throw and reject: then the client is gone, which its connection reports
   */
  constructor(afterMs: number | undefined, onSilence: () => Promise<void> | undefined) {
    if (afterMs === undefined) return;
    this.#timer = setInterval(() => {
      Promise.resolve()
        .then(onSilence)
        .catch(() => undefined);
    }, afterMs);
  }

  /** Something was sent: the time begins anew. */
  restart(): void {
    this.#timer?.refresh();
  }

  end(): void {
    clearInterval(this.#timer);
  }
}
