/** The CUDA compiler of this machine, for checks that compile kernels and need no GPU. */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { type CompiledUnit, type CompileRequest, compilerOptions, openNvrtc } from '../nvrtc.js';
import { surveyCuda } from '../survey.js';

export interface CudaCompiler {
  /** Name and version, such as `NVRTC 13.0`. */
  readonly name: string;
  readonly compile: (unit: CompileRequest) => CompiledUnit;
}

/** Finds NVRTC, else nvcc. Returns undefined where neither is installed. */
export function findCompiler(): CudaCompiler | undefined {
  if (surveyCuda().nvrtc !== undefined) {
    const nvrtc = openNvrtc();
    return { name: `NVRTC ${nvrtc.version}`, compile: (unit) => nvrtc.compile(unit) };
  }
  try {
    const text = execFileSync('nvcc', ['--version'], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    return { name: `nvcc ${/V(\d[\d.]*)/.exec(text)?.[1] ?? 'of unknown version'}`, compile: nvccCompile };
  } catch {
    return undefined;
  }
}

function nvccCompile(unit: CompileRequest): CompiledUnit {
  const folder = mkdtempSync(join(tmpdir(), 'aloft-nvcc-'));
  try {
    const [source, cubin] = [join(folder, `${unit.name}.cu`), join(folder, 'out.cubin')];
    writeFileSync(source, unit.source);
    for (const [name, text] of unit.headers) {
      mkdirSync(dirname(join(folder, name)), { recursive: true });
      writeFileSync(join(folder, name), text);
    }
    // NVRTC's option for functions without annotations is unknown to nvcc, and nothing needs it.
    const options = compilerOptions(unit).filter((option) => option !== '-default-device');
    const words = ['-cubin', '-w', '-I', folder, ...options, source, '-o', cubin];
    const { status, stderr } = spawnSync('nvcc', words, { encoding: 'utf8' });
    if (status !== 0) throw new Error(`nvcc cannot compile ${unit.name} for ${unit.arch}: ${stderr}`);
    return { cubin: readFileSync(cubin), log: stderr };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
