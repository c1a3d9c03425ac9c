import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { fileFault, readingFile, systemFault, writingFile } from './file-fault.js';

const fault = (code: string, more: object = {}) =>
  Object.assign(new Error(`${code}: it failed`), { code, syscall: 'open', errno: -1, ...more });

test.each([
  ['EACCES', 'FILE_UNREADABLE', '/a may not be read by this user; change its permissions or its owner.'],
  ['EPERM', 'FILE_UNREADABLE', '/a may not be read by this user; change its permissions or its owner.'],
  ['ENOENT', 'FILE_UNREADABLE', '/a is missing, or is a link to a file that is missing; copy it there.'],
  ['EISDIR', 'FILE_UNREADABLE', '/a is a directory, not a file; name the file.'],
  ['EOTHER', 'FILE_UNREADABLE', '/a cannot be read (EOTHER); check the path and its permissions.'],
  [
    'EMFILE',
    'TOO_MANY_FILES',
    "/a cannot be opened: the process may have no more files open (EMFILE); raise the limit with 'ulimit -n 4096'.",
  ],
])('%s becomes one sentence about the file', (code, expected, message) => {
  expect(fileFault('/a', fault(code))).toMatchObject({ code: expected, message });
  expect(systemFault(fault(code, { path: '/a' }))).toMatchObject({ code: expected, message });
});

test('an error that is not about a file stays as it is', () => {
  for (const thrown of [new Error('no'), 'text', fault('ECONNRESET', { syscall: 'read' })])
    expect(systemFault(thrown)).toBe(thrown);
  expect(systemFault(fault('EMFILE', { syscall: 'socket' }))).toMatchObject({
    code: 'TOO_MANY_FILES',
    message: expect.stringMatching(/^A file or connection \(socket\) cannot be opened/),
  });
});

test.each([
  ['EACCES', '/a may not be written by this user; change its permissions, or name another place.'],
  ['ENOENT', '/a lies in a folder that is missing; make the folder, or correct the path.'],
  ['EISDIR', '/a is a directory, not a file; name a file.'],
  ['ENOSPC', '/a cannot be written, because the disk is full; free space, or name another place.'],
  ['EOTHER', '/a cannot be written (EOTHER); check the path and its permissions.'],
])('%s of a write is no fault of reading', (code, message) => {
  const write = () => {
    throw fault(code);
  };
  expect(() => writingFile('/a', write)).toThrow(expect.objectContaining({ code: 'OUTPUT_FAILED', message }));
});

test('what only writing meets is a fault of the output, also where nobody foresaw it', () => {
  for (const code of ['ENOSPC', 'EROFS', 'EDQUOT', 'EFBIG']) {
    expect(systemFault(fault(code, { path: '/a' }))).toMatchObject({ code: 'OUTPUT_FAILED' });
    expect(systemFault(fault(code, { syscall: 'write' }))).toMatchObject({
      code: 'OUTPUT_FAILED',
      message: expect.stringMatching(/^A file \(write\) /),
    });
  }
});

test('a read passes its result on', () => {
  expect(readingFile('/a', () => 7)).toBe(7);
  expect(() => readingFile('/none', () => readFileSync('/none/at/all'))).toThrow(/^\/none is missing/);
});
