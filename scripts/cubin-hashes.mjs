/** Hashes of the kernels in a cubin that depend on machine code alone: not on names of files, line tables or the time. */
import { createHash } from 'node:crypto';

const NO_BITS = 8; // a section that has a size and no bytes
/** Attributes of `.nv.info` whose value starts with the index of a symbol: an index moves when other sections come or go. */
const PARAMETERS = 0x0a;

/** @returns hash by function, in the order of names; data that no function owns is under `(data)` */
export function kernelHashes(cubin) {
  const elf = readElf(Buffer.from(cubin));
  const functions = elf.sections.flatMap(({ name }) => /^\.text\.(.+)$/.exec(name)?.[1] ?? []);
  const parts = new Map([...functions, '(data)'].map((name) => [name, []]));
  for (const section of elf.sections) {
    const { name, data } = section;
    const owner = functions.find((kernel) => name.endsWith(`.${kernel}`));
    if (/^\.(text|nv\.constant|nv\.shared|nv\.global)/.test(name))
      parts.get(owner ?? '(data)').push(sectionKind(name, owner), data);
    else if (/^\.rela?\.text\./.test(name)) parts.get(owner).push(...relocations(elf, section));
    else if (name === '.nv.info')
      // Registers and stack of each function, under its symbol.
      for (const { id, value } of attributes(data))
        parts.get(elf.symbol(value.readUInt32LE(0)))?.push(`attribute ${id}`, value.subarray(4));
    else if (name.startsWith('.nv.info.'))
      for (const { id, value } of attributes(data))
        parts.get(owner).push(`attribute ${id}`, id === PARAMETERS ? value.subarray(4) : value);
  }
  const hashes = [...parts].map(([name, pieces]) => [name, sha256(pieces)]);
  return Object.fromEntries(hashes.toSorted(([a], [b]) => (a < b ? -1 : 1)));
}

export function sha256(pieces) {
  const hash = createHash('sha256');
  for (const piece of pieces) hash.update(`${piece.length}:`).update(piece);
  return hash.digest('hex');
}

const sectionKind = (name, owner) => (owner === undefined ? name : name.slice(0, -owner.length));

/** Sections and names of symbols of a 64-bit little-endian ELF file. */
function readElf(file) {
  const [table, entryBytes] = [Number(file.readBigUInt64LE(0x28)), file.readUInt16LE(0x3a)];
  const [count, namesIndex] = [file.readUInt16LE(0x3c), file.readUInt16LE(0x3e)];
  const headers = Array.from({ length: count }, (_, index) => {
    const at = table + index * entryBytes;
    const [start, bytes] = [file.readBigUInt64LE(at + 24), file.readBigUInt64LE(at + 32)].map(Number);
    const hasBytes = file.readUInt32LE(at + 4) !== NO_BITS;
    const data = hasBytes ? file.subarray(start, start + bytes) : `${bytes} bytes`;
    return { nameAt: file.readUInt32LE(at), link: file.readUInt32LE(at + 40), data };
  });
  const text = (strings, at) => strings.toString('latin1', at, strings.indexOf(0, at));
  const sections = headers.map(({ nameAt, ...header }) => ({
    name: text(headers[namesIndex].data, nameAt),
    ...header,
  }));
  const symbols = sections.find(({ name }) => name === '.symtab');
  const symbol = (index) => text(sections[symbols.link].data, symbols.data.readUInt32LE(index * 24));
  return { sections, symbol };
}

/** Entries of a `.nv.info` section: a format byte, an attribute, and two bytes of value or of the value's length. */
function* attributes(data) {
  const HAS_LENGTH = 4;
  for (let at = 0; at < data.length;) {
    const [format, id] = data.subarray(at, at + 2);
    const end = at + 4 + (format === HAS_LENGTH ? data.readUInt16LE(at + 2) : 0);
    yield { id, value: data.subarray(format === HAS_LENGTH ? at + 4 : at + 2, end) };
    at = end;
  }
}

/** Places of a function that the loader fills, with the name of the symbol that fills them. */
function* relocations({ symbol }, { name, data }) {
  const entryBytes = name.startsWith('.rela.') ? 24 : 16;
  for (let at = 0; at < data.length; at += entryBytes) {
    yield symbol(data.readUInt32LE(at + 12));
    yield data.subarray(at, at + 12);
    yield data.subarray(at + 16, at + entryBytes);
  }
}
