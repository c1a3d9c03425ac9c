import { describe } from 'vitest';
import { describeBeams } from './conformance-beams.js';
import { type Subject, withDriverOf } from './conformance-driver.js';
import { describeAttachment } from './conformance-faults.js';
import { describeLateMasks } from './conformance-late-masks.js';
import { ToyExecutor } from './toy-executor.js';

const toy: Subject = {
  tolerance: 0,
  create: (limits) => new ToyExecutor({ limits: { ...limits, vocabulary: 100 } }),
};

describeBeams('toy executor', toy);
describe('toy executor: slots', () => describeAttachment(withDriverOf(toy)));
describe('toy executor: masks that follow', () => describeLateMasks(withDriverOf(toy)));
