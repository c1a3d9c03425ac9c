/**
 * The directory of a zip archive whose entries are stored, not compressed, as `torch.save` writes them.
 * Source: PKWARE APPNOTE.TXT 6.3, sections 4.3.7 (local header), 4.3.12 (central), 4.3.14-16 (end records, zip64).
 */
import type { ByteSource } from '../../engine/safetensors.js';

export interface ZipEntry {
  /** Offset of the entry's bytes in the archive. */
  readonly offset: number;
  readonly byteLength: number;
}

const END_SIGNATURE = 0x06054b50;
const END_BYTES = 22;
const ZIP64_LOCATOR_SIGNATURE = 0x07064b50;
const ZIP64_LOCATOR_BYTES = 20;
const ZIP64_END_SIGNATURE = 0x06064b50;
const CENTRAL_SIGNATURE = 0x02014b50;
const CENTRAL_BYTES = 46;
const LOCAL_SIGNATURE = 0x04034b50;
const LOCAL_BYTES = 30;
const MAX_COMMENT_BYTES = 0xffff;
const IN_ZIP64 = 0xffffffff;

type Fail = (fault: string) => never;

/** @param fail called with what is wrong, as a clause; must throw */
export function readZipDirectory(file: ByteSource, fail: Fail): Map<string, ZipEntry> {
  const view = (offset: number, length: number): Buffer => {
    if (offset < 0 || offset + length > file.byteLength)
      fail('it is truncated: its zip directory is missing');
    const bytes = file.bytes(offset, length);
    return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  };
  const { start, byteLength } = locateDirectory(file, view, fail);
  const directory = view(start, byteLength);
  const entries = new Map<string, ZipEntry>();
  for (let at = 0; at + CENTRAL_BYTES <= byteLength;) {
    if (directory.readUInt32LE(at) !== CENTRAL_SIGNATURE) fail('its zip directory is malformed');
    const nameBytes = directory.readUInt16LE(at + 28);
    const extraBytes = directory.readUInt16LE(at + 30);
    const next = at + CENTRAL_BYTES + nameBytes + extraBytes + directory.readUInt16LE(at + 32);
    if (next > byteLength) fail('its zip directory is malformed');
    const name = directory.toString('utf8', at + CENTRAL_BYTES, at + CENTRAL_BYTES + nameBytes);
    if (directory.readUInt16LE(at + 10) !== 0) fail(`its entry '${name}' is compressed`);
    const { byteLength: size, localOffset } = sizesOf(directory.subarray(at, next), nameBytes, extraBytes);
    const local = view(localOffset, LOCAL_BYTES);
    if (local.readUInt32LE(0) !== LOCAL_SIGNATURE) fail(`its entry '${name}' has no local header`);
    const offset = localOffset + LOCAL_BYTES + local.readUInt16LE(26) + local.readUInt16LE(28);
    if (offset + size > file.byteLength) fail(`it is truncated: its entry '${name}' ends beyond the file`);
    entries.set(name, { offset, byteLength: size });
    at = next;
  }
  return entries;
}

type View = (offset: number, length: number) => Buffer;

function locateDirectory(file: ByteSource, view: View, fail: Fail): { start: number; byteLength: number } {
  const tailBytes = Math.min(file.byteLength, END_BYTES + MAX_COMMENT_BYTES);
  const tail = view(file.byteLength - tailBytes, tailBytes);
  let end = tailBytes - END_BYTES;
  while (end >= 0 && tail.readUInt32LE(end) !== END_SIGNATURE) end--;
  if (end < 0) fail('it is truncated: its zip directory is missing');
  const byteLength = tail.readUInt32LE(end + 12);
  const start = tail.readUInt32LE(end + 16);
  const locatorAt = file.byteLength - tailBytes + end - ZIP64_LOCATOR_BYTES;
  if (locatorAt < 0) return { start, byteLength };
  const locator = view(locatorAt, ZIP64_LOCATOR_BYTES);
  if (locator.readUInt32LE(0) !== ZIP64_LOCATOR_SIGNATURE) return { start, byteLength };
  const wide = view(Number(locator.readBigUInt64LE(8)), 56);
  if (wide.readUInt32LE(0) !== ZIP64_END_SIGNATURE) fail('its zip64 end record is malformed');
  return { start: Number(wide.readBigUInt64LE(48)), byteLength: Number(wide.readBigUInt64LE(40)) };
}

/** Size and local header offset of a central entry; values that do not fit are in its zip64 extra field, in this order. */
function sizesOf(entry: Buffer, nameBytes: number, extraBytes: number) {
  let [storedSize, localOffset] = [entry.readUInt32LE(20), entry.readUInt32LE(42)];
  const plainSize = entry.readUInt32LE(24);
  const extra = entry.subarray(CENTRAL_BYTES + nameBytes, CENTRAL_BYTES + nameBytes + extraBytes);
  for (let at = 0; at + 4 <= extra.length; at += 4 + extra.readUInt16LE(at + 2)) {
    if (extra.readUInt16LE(at) !== 1) continue;
    let field = at + 4;
    const take = (): number => {
      field += 8;
      return Number(extra.readBigUInt64LE(field - 8));
    };
    if (plainSize === IN_ZIP64) take();
    if (storedSize === IN_ZIP64) storedSize = take();
    if (localOffset === IN_ZIP64) localOffset = take();
  }
  return { byteLength: storedSize, localOffset };
}
