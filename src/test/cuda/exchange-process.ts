/** For tests and measurements: the process of a rank that makes the exchanges of its first message. */
import { type ExchangeSetup, reportOf } from './exchange-rank.js';

// Another rank may still read what this one stored, so that no process ends by itself.
process.once('message', (setup: ExchangeSetup) => process.send?.(reportOf(setup)));
