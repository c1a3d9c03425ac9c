import { describeBeams } from './conformance-beams.js';
import { ToyExecutor } from './toy-executor.js';

describeBeams('toy executor', (limits) => new ToyExecutor({ limits: { ...limits, vocabulary: 100 } }));
