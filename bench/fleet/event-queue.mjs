/** Events in order of time, those of one time in the order in which they were added: a binary heap. */
export class EventQueue {
  #heap = [];
  #addedCount = 0;

  add(timeMs, act) {
    const event = { timeMs, act, order: this.#addedCount++ };
    let at = this.#heap.length;
    while (at > 0 && isBefore(event, this.#heap[(at - 1) >> 1])) {
      this.#heap[at] = this.#heap[(at - 1) >> 1];
      at = (at - 1) >> 1;
    }
    this.#heap[at] = event;
  }

  /** Takes the earliest event out. */
  take() {
    const [first] = this.#heap;
    const last = this.#heap.pop();
    if (this.#heap.length > 0) this.#sink(last);
    return first;
  }

  #sink(event) {
    const heap = this.#heap;
    let at = 0;
    for (let child = 1; child < heap.length; child = 2 * at + 1) {
      if (child + 1 < heap.length && isBefore(heap[child + 1], heap[child])) child++;
      if (!isBefore(heap[child], event)) break;
      heap[at] = heap[child];
      at = child;
    }
    heap[at] = event;
  }
}

const isBefore = (a, b) => a.timeMs < b.timeMs || (a.timeMs === b.timeMs && a.order < b.order);
