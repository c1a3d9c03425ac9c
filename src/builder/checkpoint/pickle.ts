/**
 * A pickle reader that can build data and nothing else. Python's own reader calls whatever the file names;
 * this one knows the few names that a tensor file needs and refuses every other before anything happens.
 * Source: the opcode descriptions in CPython's Lib/pickletools.py.
 */
import { AloftError } from '../../core/errors.js';

/** A name that the pickle asked for and the caller allows. */
export interface PickleGlobal {
  readonly name: string;
  /** Makes a value from the arguments of a call; absent for names that are only mentioned. */
  readonly call?: (args: readonly unknown[]) => unknown;
}

export interface PickleRules {
  /** File, for messages. */
  readonly path: string;
  /** `module.name` -> what it stands for. */
  readonly globals: ReadonlyMap<string, PickleGlobal>;
  /** Turns a persistent id into a value. */
  persistent(id: unknown): unknown;
}

/** Stack marker. */
const MARK = Symbol('mark');

/** Builds the pickled value: dicts become Map, tuples and lists become arrays. @throws {AloftError} CHECKPOINT_UNSAFE, CHECKPOINT_CORRUPT */
export function unpickle(bytes: Uint8Array, rules: PickleRules): unknown {
  const machine = new PickleMachine(bytes, rules);
  return machine.run();
}

class PickleMachine {
  readonly #bytes: Buffer;
  readonly #rules: PickleRules;
  readonly #stack: unknown[] = [];
  readonly #memo = new Map<number, unknown>();
  #at = 0;

  constructor(bytes: Uint8Array, rules: PickleRules) {
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#rules = rules;
  }

  run(): unknown {
    try {
      for (;;) {
        const opcode = this.#byte();
        if (opcode === 0x2e /* STOP */) return this.#pop();
        if (!this.#data(opcode) && !this.#container(opcode) && !this.#reference(opcode))
          this.#fail(`the opcode 0x${opcode.toString(16)} is not one that tensor files use`);
      }
    } catch (fault) {
      if (fault instanceof AloftError) throw fault;
      return this.#fail('its pickle ends early or is malformed');
    }
  }

  /** Opcodes that push a literal. */
  #data(opcode: number): boolean {
    switch (opcode) {
      case 0x80: // PROTO
        this.#at += 1;
        return true;
      case 0x95: // FRAME
        this.#at += 8;
        return true;
      case 0x4e: // NONE
        return this.#push(null);
      case 0x88: // NEWTRUE
        return this.#push(true);
      case 0x89: // NEWFALSE
        return this.#push(false);
      case 0x4a: // BININT
        this.#at += 4;
        return this.#push(this.#bytes.readInt32LE(this.#at - 4));
      case 0x4b: // BININT1
        return this.#push(this.#byte());
      case 0x4d: // BININT2
        this.#at += 2;
        return this.#push(this.#bytes.readUInt16LE(this.#at - 2));
      case 0x8a: // LONG1
        return this.#push(this.#long(this.#byte()));
      case 0x47: // BINFLOAT
        this.#at += 8;
        return this.#push(this.#bytes.readDoubleBE(this.#at - 8));
      case 0x58: // BINUNICODE
      case 0x54: // BINSTRING
        return this.#push(this.#text(this.#uint32()));
      case 0x8c: // SHORT_BINUNICODE
      case 0x55: // SHORT_BINSTRING
        return this.#push(this.#text(this.#byte()));
      default:
        return false;
    }
  }

  /** Opcodes that make or fill tuples, lists and dicts. */
  #container(opcode: number): boolean {
    switch (opcode) {
      case 0x28: // MARK
        return this.#push(MARK);
      case 0x29: // EMPTY_TUPLE
      case 0x5d: // EMPTY_LIST
        return this.#push([]);
      case 0x7d: // EMPTY_DICT
        return this.#push(new Map());
      case 0x74: // TUPLE
      case 0x6c: // LIST
        return this.#push(this.#sinceMark());
      case 0x85: // TUPLE1
      case 0x86: // TUPLE2
      case 0x87: // TUPLE3
        return this.#push(this.#stack.splice(this.#stack.length - (opcode - 0x84)));
      case 0x61: // APPEND
        return this.#extend([this.#pop()]);
      case 0x65: // APPENDS
        return this.#extend(this.#sinceMark());
      case 0x73: // SETITEM
        return this.#setItems(this.#stack.splice(this.#stack.length - 2));
      case 0x75: // SETITEMS
        return this.#setItems(this.#sinceMark());
      default:
        return false;
    }
  }

  /** Opcodes that name, recall or call something. */
  #reference(opcode: number): boolean {
    switch (opcode) {
      case 0x71: // BINPUT
        this.#memo.set(this.#byte(), this.#stack.at(-1));
        return true;
      case 0x72: // LONG_BINPUT
        this.#memo.set(this.#uint32(), this.#stack.at(-1));
        return true;
      case 0x94: // MEMOIZE
        this.#memo.set(this.#memo.size, this.#stack.at(-1));
        return true;
      case 0x68: // BINGET
        return this.#push(this.#memo.get(this.#byte()));
      case 0x6a: // LONG_BINGET
        return this.#push(this.#memo.get(this.#uint32()));
      case 0x63: // GLOBAL
        return this.#push(this.#global(this.#line(), this.#line()));
      case 0x93: {
        // STACK_GLOBAL
        const [module, name] = [this.#pop(), this.#pop()].toReversed();
        // Only texts name things: the text of nested lists can be longer than all memory.
        if (typeof module !== 'string' || typeof name !== 'string')
          return this.#refuse('for a name that is no text');
        return this.#push(this.#global(module, name));
      }
      case 0x51: // BINPERSID
        return this.#push(this.#rules.persistent(this.#pop()));
      case 0x52: {
        // REDUCE
        const args = this.#pop();
        return this.#push(this.#call(this.#pop(), args));
      }
      case 0x62: // BUILD: attributes, such as a state dict's _metadata, which say nothing about tensors
        this.#pop();
        if (!(this.#stack.at(-1) instanceof Map)) this.#refuse('to set attributes of an object');
        return true;
      default:
        return false;
    }
  }

  #global(module: string, name: string): PickleGlobal {
    const found = this.#rules.globals.get(`${module}.${name}`);
    return found ?? this.#refuse(`for '${module}.${name}'`);
  }

  #call(callee: unknown, args: unknown): unknown {
    const { call, name } = (callee ?? {}) as Partial<PickleGlobal>;
    if (call === undefined || !Array.isArray(args)) return this.#refuse(`to call '${name ?? 'a value'}'`);
    return call(args);
  }

  #refuse(what: string): never {
    throw new AloftError(
      'CHECKPOINT_UNSAFE',
      `${this.#rules.path} asks ${what}, which has no place in a file of tensors and could run code; nothing was executed. Use a safetensors checkpoint from a source that you trust.`,
    );
  }

  #fail(fault: string): never {
    throw new AloftError(
      'CHECKPOINT_CORRUPT',
      `${this.#rules.path} is damaged: ${fault}. Download it again.`,
    );
  }

  #push(value: unknown): true {
    this.#stack.push(value);
    return true;
  }

  #pop(): unknown {
    if (this.#stack.length === 0) this.#fail('its pickle is malformed');
    return this.#stack.pop();
  }

  #sinceMark(): unknown[] {
    const mark = this.#stack.lastIndexOf(MARK);
    if (mark < 0) this.#fail('its pickle is malformed');
    return this.#stack.splice(mark).slice(1);
  }

  #extend(items: readonly unknown[]): true {
    const list = this.#stack.at(-1);
    if (!Array.isArray(list)) return this.#fail('its pickle is malformed');
    for (const item of items) list.push(item);
    return true;
  }

  #setItems(items: readonly unknown[]): true {
    const map = this.#stack.at(-1);
    if (!(map instanceof Map)) return this.#refuse('to set items of an object');
    for (let i = 0; i + 1 < items.length; i += 2) map.set(items[i], items[i + 1]);
    return true;
  }

  #byte(): number {
    return this.#bytes.readUInt8(this.#at++);
  }

  #uint32(): number {
    this.#at += 4;
    return this.#bytes.readUInt32LE(this.#at - 4);
  }

  #text(byteLength: number): string {
    if (this.#at + byteLength > this.#bytes.length) this.#fail('its pickle ends early');
    this.#at += byteLength;
    return this.#bytes.toString('utf8', this.#at - byteLength, this.#at);
  }

  #line(): string {
    const end = this.#bytes.indexOf(0x0a, this.#at);
    if (end < 0) this.#fail('its pickle ends early');
    const line = this.#bytes.toString('utf8', this.#at, end);
    this.#at = end + 1;
    return line;
  }

  /** A little-endian two's complement integer. */
  #long(byteLength: number): number {
    let value = 0n;
    for (let i = 0; i < byteLength; i++) value |= BigInt(this.#byte()) << BigInt(8 * i);
    return Number(BigInt.asIntN(8 * byteLength, value));
  }
}
