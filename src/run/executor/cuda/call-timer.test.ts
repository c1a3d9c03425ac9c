import { expect, test } from 'vitest';
import type { CudaEvent, Stream } from '../../../device/cuda/stream.js';
import { addLaunch } from '../../../ops/add/cuda.js';
import type { TimedCall } from '../opening/timed-call.js';
import { createCallTimer } from './call-timer.js';
import type { LaunchSink } from '../../../ops/cuda/sink.js';

const LAUNCH = addLaunch(8, 0, 0);
const SHAPE = { m: 1, n: 1, k: 1, inputDtype: 'f16', outputDtype: 'f16' } as const;

/** A device on which a kernel takes 2 ms and a product 5. */
function fakeDevice() {
  let nowMs = 100;
  let eventCount = 0;
  const launched: string[] = [];
  const newEvent = (): CudaEvent => {
    eventCount++;
    let atMs = 0;
    const event = {
      handle: eventCount,
      record: () => (atMs = nowMs),
      msSince: (start: CudaEvent) => atMs - (start as typeof event).time(),
      time: () => atMs,
      isDone: () => true,
      synchronize: () => {},
      dispose: () => {},
    };
    return event;
  };
  const inner: LaunchSink = {
    kernel: ({ kernel }) => {
      launched.push(kernel);
      nowMs += 2;
    },
    matmul: (_, __, algorithm) => {
      launched.push(`matmul ${algorithm}`);
      nowMs += 5;
    },
  };
  const timer = createCallTimer(inner, {} as Stream, newEvent);
  return { timer, launched, eventCount: () => eventCount };
}

function runStep(timer: ReturnType<typeof fakeDevice>['timer']): TimedCall[] {
  const { sink } = timer;
  timer.begin();
  sink.startOp!(0);
  sink.kernel(LAUNCH);
  sink.startOp!(3);
  sink.kernel({ ...LAUNCH, kernel: 'dequantise' });
  sink.matmul(SHAPE, { x: 0, weight: 0, out: 0 }, 4);
  const calls: TimedCall[] = [];
  timer.read((call) => calls.push(call));
  return calls;
}

test('every launch is performed and timed, with the op it belongs to', () => {
  const device = fakeDevice();
  const expected = [
    { opIndex: 0, kernel: 'add', startMs: 0, ms: 2 },
    { opIndex: 3, kernel: 'dequantise', startMs: 2, ms: 2 },
    { opIndex: 3, kernel: 'cublasLtMatmul', startMs: 4, ms: 5 },
  ];
  expect(runStep(device.timer)).toEqual(expected);
  expect(device.launched).toEqual(['add', 'dequantise', 'matmul 4']);
  expect(runStep(device.timer)).toEqual(expected);
  expect(device.eventCount()).toBe(4);
});

test('a second step before the first was read is a fault', () => {
  const { timer } = fakeDevice();
  timer.begin();
  timer.sink.kernel(LAUNCH);
  expect(() => timer.begin()).toThrow(/timed before/);
});
