/**
 * Draws much in portions, so that between two of them somebody can scroll and type. It draws nothing itself.
 *
 *     const portion = new Portion(signal);
 *     for (const each of many) {
 *       draw(each);
 *       if (portion.over()) await portion.next();
 *     }
 */

// A thread that is busy for 50 ms is felt; what is begun is finished, and the browser lays out as well.
const LONGEST_MS = 30;

export class Portion {
  /** @param {AbortSignal} [signal] of what is drawn; nothing more is drawn once it is aborted */
  constructor(signal) {
    this.signal = signal;
    this.begun = performance.now();
  }

  /** Whether it is time for the next one. A hidden page keeps nobody waiting, and its timers are slow. */
  over() {
    return performance.now() - this.begun > LONGEST_MS && !document.hidden;
  }

  /**
   * Leaves the thread to others for a moment. It throws where the drawing was aborted meanwhile.
   *
   * @returns {Promise<void>}
   */
  async next() {
    await new Promise((done) => setTimeout(done));
    this.signal?.throwIfAborted();
    this.begun = performance.now();
  }
}
