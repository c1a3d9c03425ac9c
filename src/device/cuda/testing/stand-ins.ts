/** Libraries that take the place of NVIDIA's in tests. */
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** Compiles a shared library. @param name of its file @param source in C++ */
export function compileStandIn(folder: string, name: string, source: string): void {
  const file = join(folder, `${name}.cpp`);
  writeFileSync(file, source);
  const words = ['-shared', '-fPIC', '-o', join(folder, name), file];
  const { status, stderr } = spawnSync('g++', words, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`g++ cannot compile the stand-in for ${name}: ${stderr}`);
}

/** A driver of three GPUs. GPU 2 is apart from the others; between 0 and 1 all atomic operations work. */
export const DRIVER_STAND_IN = `#include <cstdint>
#include <cstring>
extern "C" {
int cuInit(uint32_t) { return 0; }
int cuGetErrorString(int, const char **text) { *text = "a stand-in's error"; return 0; }
int cuGetErrorName(int, const char **text) { *text = "STAND_IN"; return 0; }
int cuDriverGetVersion(int *version) { *version = 13000; return 0; }
int cuDeviceGetCount(int *count) { *count = 3; return 0; }
int cuDeviceGet(int *device, int ordinal) { *device = ordinal; return 0; }
int cuDeviceGetName(char *name, int, int) { std::strcpy(name, "Stand-in"); return 0; }
int cuDeviceGetAttribute(int *value, int attribute, int) { *value = attribute == 75 ? 9 : 0; return 0; }
int cuDeviceGetUuid_v2(unsigned char *uuid, int device) { std::memset(uuid, device, 16); return 0; }
int cuDeviceTotalMem_v2(uint64_t *bytes, int) { *bytes = 1ull << 30; return 0; }
int cuDeviceCanAccessPeer(int *can, int device, int peer) { *can = device < 2 && peer < 2; return 0; }
int cuDeviceGetP2PAttribute(int *value, int attribute, int device, int peer) {
  *value = attribute == 1 ? peer - 1 : attribute == 3 ? device < 2 && peer < 2 : 99;
  return 0;
}
}`;

/** Active links of the GPUs of {@link DRIVER_STAND_IN}. */
export interface LinksStandIn {
  /** Links between GPUs 0 and 1. */
  readonly direct: number;
  /** Links of GPUs 0, 1 and 2 to a switch. */
  readonly toSwitch: readonly [number, number, number];
  /** Whether the switch leads from each GPU to each other. */
  readonly isSwitchSetUp: boolean;
  /** `nvmlGpuTopologyLevel_t` of all pairs. */
  readonly level: number;
}

/** NVML for the same GPUs. Its devices are 100 + ordinal, on the PCI places 7:ordinal:1. */
export const nvmlStandIn = ({
  direct,
  toSwitch,
  isSwitchSetUp,
  level,
}: LinksStandIn): string => `#include <cstdint>
#include <cstdlib>
#include <cstring>
struct Place { char legacy[16]; uint32_t domain, bus, device, id, subsystem; char text[32]; };
static const uint32_t toSwitch[] = {${toSwitch.join()}};
static uint32_t directLinks(uint64_t device) { return device < 102 ? ${direct} : 0; }
static bool isInitialised = false;
extern "C" {
int nvmlInit_v2() { isInitialised = true; return 0; }
int nvmlShutdown() { isInitialised = false; return 0; }
int nvmlSystemGetNVMLVersion(char *text, uint32_t length) { std::strncpy(text, "13.1.2", length); return 0; }
int nvmlDeviceGetHandleByUUID(const char *uuid, uint64_t *device) {
  if (!isInitialised) return 1;
  if (std::strlen(uuid) != 40 || std::strncmp(uuid, "GPU-0", 5) != 0) return 6;
  *device = 100 + std::atoi(uuid + 38);
  return 0;
}
int nvmlDeviceGetPciInfo_v3(uint64_t device, Place *place) {
  place->domain = 7; place->bus = device - 100; place->device = 1;
  return 0;
}
int nvmlDeviceGetNvLinkState(uint64_t device, uint32_t link, uint32_t *isActive) {
  if (link >= 18) return 2;
  *isActive = link < directLinks(device) + toSwitch[device - 100];
  return 0;
}
int nvmlDeviceGetNvLinkRemoteDeviceType(uint64_t device, uint32_t link, uint32_t *type) {
  *type = link < directLinks(device) ? 0 : 2;
  return 0;
}
int nvmlDeviceGetNvLinkRemotePciInfo_v2(uint64_t device, uint32_t link, Place *place) {
  const bool isDirect = link < directLinks(device);
  place->domain = 7; place->bus = isDirect ? 101 - device : 64 + link; place->device = 1;
  return 0;
}
int nvmlDeviceGetP2PStatus(uint64_t, uint64_t, int capability, int *status) {
  *status = capability == 2 && ${isSwitchSetUp} ? 0 : 5;
  return 0;
}
int nvmlDeviceGetTopologyCommonAncestor(uint64_t, uint64_t, int *level) { *level = ${level}; return 0; }
}`;
