import { existsSync, readdirSync } from 'node:fs';
import { basename, delimiter, dirname, isAbsolute, join } from 'node:path';
import { AloftError } from '../../core/errors.js';
import { openLibrary, type NativeLibrary } from '../../ffi/library.js';

/** A library of NVIDIA's that is looked for at run time. Names are tried in order; `install` says how to get it. */
interface CudaLibraryKind {
  readonly what: string;
  readonly names: readonly string[];
  readonly install: string;
}

const CUDA_LIBRARIES = {
  driver: {
    what: 'the CUDA driver',
    names: ['libcuda.so.1'],
    install: "install NVIDIA's display driver: 525 or later for CUDA 12, 580 or later for CUDA 13",
  },
  nvrtc: {
    what: "CUDA's run-time compiler NVRTC",
    names: ['libnvrtc.so.13', 'libnvrtc.so.12'],
    install: 'install the CUDA toolkit 12 or 13, or `pip install nvidia-cuda-nvrtc`',
  },
  nccl: {
    what: "the library NCCL, which connects GPUs that do not reach each other's memory",
    names: ['libnccl.so.2'],
    install: 'install NCCL 2, or `pip install nvidia-nccl-cu13`',
  },
  nvml: {
    what: "NVIDIA's management library NVML, which knows how GPUs are linked",
    names: ['libnvidia-ml.so.1'],
    install: "it comes with NVIDIA's display driver; give containers the capability `utility`",
  },
  cublasLt: {
    what: 'the matrix library cuBLASLt',
    names: ['libcublasLt.so.13', 'libcublasLt.so.12'],
    install: 'install the CUDA toolkit 12 or 13, or `pip install nvidia-cublas`',
  },
} as const satisfies Record<string, CudaLibraryKind>;

export type CudaLibraryName = keyof typeof CUDA_LIBRARIES;

/** Folders in which CUDA libraries usually lie, besides those that the loader knows. */
const TOOLKIT_FOLDERS = ['/usr/local/cuda/lib64', '/usr/lib/x86_64-linux-gnu', '/usr/local/nvidia/lib64'];
const PYTHON_ROOTS = ['/usr/lib', '/usr/local/lib'];

/**
 * Candidate files for a library, best first: the given folders, the loader's own search, toolkit folders, pip packages.
 * @param libraryPath folders separated by `:`; each holds libraries itself or is a `site-packages/nvidia` folder
 */
export function libraryCandidates(name: CudaLibraryName, libraryPath?: string): readonly string[] {
  const kind = CUDA_LIBRARIES[name];
  const given = (libraryPath ?? '').split(delimiter).filter((folder) => folder !== '');
  const folders = [
    ...given.flatMap((folder) => [folder, ...wheelFolders(folder)]),
    ...TOOLKIT_FOLDERS,
    ...PYTHON_ROOTS.flatMap(pythonFolders),
  ];
  const files = folders.flatMap((folder) => kind.names.map((file) => join(folder, file)));
  const present = files.filter((file) => existsSync(file));
  const ofGiven = present.filter((file) => given.some((folder) => file.startsWith(folder)));
  return [...new Set([...ofGiven, ...kind.names, ...present])];
}

/** `nvidia/<package>/lib` folders below `site-packages/nvidia`. */
function wheelFolders(nvidia: string): string[] {
  return entries(nvidia)
    .map((entry) => join(nvidia, entry, 'lib'))
    .filter((folder) => existsSync(folder));
}

function pythonFolders(root: string): string[] {
  return entries(root)
    .filter((entry) => entry.startsWith('python3'))
    .flatMap((entry) => [
      join(root, entry, 'site-packages/nvidia'),
      join(root, entry, 'dist-packages/nvidia'),
    ])
    .flatMap(wheelFolders);
}

function entries(folder: string): string[] {
  return existsSync(folder) ? readdirSync(folder) : [];
}

/**
 * NVRTC opens `libnvrtc-builtins.so.<version>` by its bare name, which the loader finds only in its own folders or when
 * it is loaded already. So whoever names NVRTC by its path gets its neighbour loaded too.
 */
function companionsOf(path: string): string[] {
  if (!basename(path).startsWith('libnvrtc.so') || !isAbsolute(path)) return [];
  return entries(dirname(path))
    .filter((name) => /^libnvrtc-builtins\.so\.\d+\.\d+$/.test(name))
    .map((name) => join(dirname(path), name));
}

/**
 * Opens one of NVIDIA's libraries.
 * @throws {AloftError} DEVICE_UNAVAILABLE naming the library, where it was looked for and how to install it
 */
export function openCudaLibrary(name: CudaLibraryName, libraryPath?: string): NativeLibrary {
  const kind = CUDA_LIBRARIES[name];
  const candidates = libraryCandidates(name, libraryPath);
  let reason = '';
  for (const candidate of candidates) {
    try {
      for (const companion of companionsOf(candidate)) openLibrary(companion);
      return openLibrary(candidate);
    } catch (error) {
      reason ||= error instanceof Error ? error.message : String(error);
    }
  }
  // That a file is not there is what the sentence says already.
  const detail = reason.includes('No such file') ? '' : ` (${reason})`;
  throw new AloftError(
    'DEVICE_UNAVAILABLE',
    `No usable ${kind.names[0]} (${kind.what}): ${kind.install}, or name its folder with --cuda-library-path.${detail}`,
  );
}
