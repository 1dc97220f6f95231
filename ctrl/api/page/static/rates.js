// SPDX-License-Identifier: Apache-2.0
// What happens a second, from counters that only grow.
import { sum } from "./dom.js";

const KEPT = 120; // looks, one a second

const counters = (s) => ({
  steered: s.datapath.steered,
  passed: s.datapath.passed,
  dropped: sum(s.datapath.dropped),
  received: sum(s.control.received),
  calls: s.control.handed_over,
});

export class Rates {
  #last;
  #at;
  curves = { steered: [], passed: [], dropped: [], received: [], calls: [] };
  workers = {};

  add(status, at) {
    const now = counters(status);
    const workers = Object.fromEntries(status.workers.map((w) => [w.name, w.steered]));
    if (this.#last) {
      const seconds = Math.max(0.001, (at - this.#at) / 1000);
      // A counter that went back began anew.
      const rate = (was, is) => (is >= (was ?? 0) ? (is - (was ?? 0)) / seconds : 0);
      for (const name of Object.keys(now)) {
        this.curves[name].push(rate(this.#last.now[name], now[name]));
        this.curves[name] = this.curves[name].slice(-KEPT);
      }
      this.workers = Object.fromEntries(Object.keys(workers).map((w) => [w, rate(this.#last.workers[w], workers[w])]));
    }
    this.#last = { now, workers };
    this.#at = at;
  }

  now(name) {
    return this.curves[name].at(-1) ?? 0;
  }
}
