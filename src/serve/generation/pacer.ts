/**
 * Decides how long streams wait between two messages. While the event loop is quick they do not wait at all; when its
 * turns get long, fewer and larger messages are what shortens them again. First messages never wait.
 */
const QUICK_TURN_MS = 4;
const MAX_INTERVAL_MS = 60;
const WAIT_FOR_TURNS = 4;
/** Weight of the newest turn in the mean. */
const NEWEST = 0.05;

export class Pacer {
  private meanTurnMs = 0;

  /** Time to leave between messages of one stream, ms. */
  get intervalMs(): number {
    if (this.meanTurnMs < QUICK_TURN_MS) return 0;
    return Math.min(MAX_INTERVAL_MS, this.meanTurnMs * WAIT_FOR_TURNS);
  }

  /** One turn of the event loop; everything that is ready runs before it resolves. */
  async nextTurn(): Promise<void> {
    const startMs = performance.now();
    await new Promise<void>((resolve) => setImmediate(resolve));
    this.meanTurnMs += NEWEST * (performance.now() - startMs - this.meanTurnMs);
  }
}
