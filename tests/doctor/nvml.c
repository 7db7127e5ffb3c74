/* libnvidia-ml.so.1 for machines without a GPU: the ABI of NVIDIA's nvml.h, answers out of the file $MOCK_NVML.
 * A line is `NAME VALUE` for the driver or `INDEX.NAME VALUE` for a GPU; the value `!15` returns the error 15.
 * `0.peers.2 3` is of GPU 0 with GPU 2. What the file has no line for is not supported (3). What is set is added to the
 * file $MOCK_NVML.set, whose last line of a name goes before the other file's: the settings live on when the program is
 * gone, as they do in a driver.
 * `INDEX.field.75 1000` is the value of that field (NVML_FI_DEV_*), `INDEX.nvlink.3 1` an NVLink that is up.
 * `init hang` never starts.
 * `INDEX.denied !4` lets nobody set anything; a power limit is between power_min and power_max; where `INDEX.draw` is
 * there, the GPU draws that many milliwatts, or what its limit allows, at a clock in proportion. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define NOT_SUPPORTED 3
typedef struct { char legacy[16]; unsigned domain, bus, device, id, subsystem; char address[32]; } pci_info;
typedef struct { unsigned long long total, free, used; } memory_info;

static int text_in(const char *path, const char *key, char *value, unsigned size) {
    FILE *file = fopen(path, "r");
    char line[256];
    int found = NOT_SUPPORTED;
    while (file && fgets(line, sizeof line, file)) {
        size_t length = strlen(key);
        if (strncmp(line, key, length) || line[length] != ' ') continue;
        line[strcspn(line, "\n")] = 0;
        if (line[length + 1] == '!') found = atoi(line + length + 2);
        else { snprintf(value, size, "%s", line + length + 1); found = 0; }
    }
    if (file) fclose(file);
    return found;
}

static const char *settings(void) {
    static char path[4096];
    snprintf(path, sizeof path, "%s.set", getenv("MOCK_NVML"));
    return path;
}

static int text(const char *key, char *value, unsigned size) {
    if (!getenv("MOCK_NVML")) return NOT_SUPPORTED;
    int found = text_in(settings(), key, value, size);
    return found == NOT_SUPPORTED ? text_in(getenv("MOCK_NVML"), key, value, size) : found;
}

static int of_gpu(void *gpu, const char *name, char *value, unsigned size) {
    char key[64];
    snprintf(key, sizeof key, "%ld.%s", (long)(intptr_t)gpu - 1, name);
    return text(key, value, size);
}

static int number(void *gpu, const char *name, unsigned long long *value) {
    char found[64];
    int error = of_gpu(gpu, name, found, sizeof found);
    if (!error) *value = strtoull(found, NULL, 0);
    return error;
}

static int small(void *gpu, const char *name, unsigned *value) {
    unsigned long long found;
    int error = number(gpu, name, &found);
    if (!error) *value = (unsigned)found;
    return error;
}

static int set(void *gpu, const char *name, unsigned value) {
    char denied[16];
    int error = of_gpu(gpu, "denied", denied, sizeof denied);
    if (error != NOT_SUPPORTED) return error;
    FILE *file = fopen(settings(), "a");
    if (!file) return 999;
    fprintf(file, "%ld.%s %u\n", (long)(intptr_t)gpu - 1, name, value);
    fclose(file);
    return 0;
}

static unsigned count(void) {
    char found[16];
    return text("gpus", found, sizeof found) ? 0 : (unsigned)atoi(found);
}

int nvmlInitWithFlags(unsigned flags) {
    char found[16];
    (void)flags;
    int e = text("init", found, sizeof found);
    while (!e && !strcmp(found, "hang")) pause();
    return e == NOT_SUPPORTED ? 0 : e;
}
int nvmlInit_v2(void) { return nvmlInitWithFlags(0); }
int nvmlShutdown(void) { return 0; }
const char *nvmlErrorString(int error) {
    switch (error) {
    case 2: return "Invalid Argument";
    case 3: return "Not Supported";
    case 6: return "Not Found";
    case 4: return "Insufficient Permissions";
    case 15: return "GPU is lost";
    case 18: return "Driver/library version mismatch";
    default: return "Unknown Error";
    }
}
int nvmlSystemGetDriverVersion(char *value, unsigned size) { return text("driver", value, size); }
int nvmlSystemGetCudaDriverVersion_v2(int *value) { char f[16]; int e = text("cuda", f, sizeof f); if (!e) *value = atoi(f); return e; }
int nvmlSystemGetCudaDriverVersion(int *value) { return nvmlSystemGetCudaDriverVersion_v2(value); }
int nvmlDeviceGetCount_v2(unsigned *value) { *value = count(); return 0; }
int nvmlDeviceGetHandleByIndex_v2(unsigned index, void **gpu) {
    char found[16];
    if (index >= count()) return 2;
    *gpu = (void *)(intptr_t)(index + 1);
    int error = of_gpu(*gpu, "handle", found, sizeof found);
    return error == NOT_SUPPORTED ? 0 : error;
}
int nvmlDeviceGetName(void *gpu, char *value, unsigned size) { return of_gpu(gpu, "name", value, size); }
int nvmlDeviceGetPciInfo_v3(void *gpu, pci_info *info) { memset(info, 0, sizeof *info); return of_gpu(gpu, "address", info->address, sizeof info->address); }
int nvmlDeviceGetMemoryInfo(void *gpu, memory_info *info) {
    int error = number(gpu, "memory", &info->total);
    if (error || (error = number(gpu, "used", &info->used))) return error;
    info->free = info->total - info->used;
    return 0;
}
int nvmlDeviceGetTemperature(void *gpu, int sensor, unsigned *value) { (void)sensor; return small(gpu, "temperature", value); }
int nvmlDeviceGetTemperatureThreshold(void *gpu, int kind, unsigned *value) { return small(gpu, kind == 2 ? "memory_limit" : "slowdown", value); }
int nvmlDeviceGetFanSpeed(void *gpu, unsigned *value) { return small(gpu, "fan", value); }
int nvmlDeviceGetEnforcedPowerLimit(void *gpu, unsigned *value) { return small(gpu, "power_limit", value); }
int nvmlDeviceGetPowerManagementLimit(void *gpu, unsigned *value) { return small(gpu, "power_limit", value); }
int nvmlDeviceGetPowerUsage(void *gpu, unsigned *value) {
    unsigned draw, limit;
    if (small(gpu, "draw", &draw) || small(gpu, "power_limit", &limit)) return small(gpu, "power", value);
    *value = draw < limit ? draw : limit;
    return 0;
}
int nvmlDeviceSetPowerManagementLimit(void *gpu, unsigned value) {
    unsigned low, high;
    if (small(gpu, "power_min", &low) || small(gpu, "power_max", &high)) return NOT_SUPPORTED;
    return value < low || value > high ? 2 : set(gpu, "power_limit", value);
}
int nvmlDeviceSetGpuLockedClocks(void *gpu, unsigned low, unsigned high) {
    unsigned highest;
    if (small(gpu, "clock_max", &highest)) return NOT_SUPPORTED;
    return low > high || high > highest ? 2 : set(gpu, "locked_clock", high);
}
int nvmlDeviceResetGpuLockedClocks(void *gpu) { return set(gpu, "locked_clock", 0); }
int nvmlDeviceGetUUID(void *gpu, char *value, unsigned size) { return of_gpu(gpu, "uuid", value, size); }
int nvmlDeviceGetHandleByUUID(const char *uuid, void **gpu) {
    char found[64];
    for (unsigned index = 0; index < count(); index++) {
        *gpu = (void *)(intptr_t)(index + 1);
        if (!nvmlDeviceGetUUID(*gpu, found, sizeof found) && !strcmp(found, uuid)) return 0;
    }
    return 6;
}
int nvmlDeviceGetCudaComputeCapability(void *gpu, int *major, int *minor) { char f[16]; int e = of_gpu(gpu, "capability", f, sizeof f); if (!e) sscanf(f, "%d.%d", major, minor); return e; }
int nvmlDeviceGetUtilizationRates(void *gpu, unsigned *value) { value[1] = 0; return small(gpu, "utilisation", value); }
int nvmlDeviceGetPowerManagementDefaultLimit(void *gpu, unsigned *value) { return small(gpu, "power_default", value); }
int nvmlDeviceGetPowerManagementLimitConstraints(void *gpu, unsigned *low, unsigned *high) { int e = small(gpu, "power_min", low); return e ? e : small(gpu, "power_max", high); }
int nvmlDeviceGetCurrPcieLinkWidth(void *gpu, unsigned *value) { return small(gpu, "width", value); }
int nvmlDeviceGetMaxPcieLinkWidth(void *gpu, unsigned *value) { return small(gpu, "width_max", value); }
int nvmlDeviceGetCurrPcieLinkGeneration(void *gpu, unsigned *value) { return small(gpu, "generation", value); }
int nvmlDeviceGetMaxPcieLinkGeneration(void *gpu, unsigned *value) { return small(gpu, "generation_max", value); }
int nvmlDeviceGetClockInfo(void *gpu, int kind, unsigned *value) {
    unsigned draw, limit, lock;
    int error = small(gpu, "clock", value);
    (void)kind;
    if (!error && !small(gpu, "draw", &draw) && !small(gpu, "power_limit", &limit) && limit < draw)
        *value = (unsigned)((unsigned long long)*value * limit / draw);
    if (!error && !small(gpu, "locked_clock", &lock) && lock && lock < *value) *value = lock;
    return error;
}
int nvmlDeviceGetMaxClockInfo(void *gpu, int kind, unsigned *value) { (void)kind; return small(gpu, "clock_max", value); }
int nvmlDeviceGetPerformanceState(void *gpu, unsigned *value) { return small(gpu, "state", value); }
int nvmlDeviceGetCurrentClocksThrottleReasons(void *gpu, unsigned long long *value) { return number(gpu, "reasons", value); }
int nvmlDeviceGetPersistenceMode(void *gpu, unsigned *value) { return small(gpu, "persistence", value); }
int nvmlDeviceGetEccMode(void *gpu, unsigned *now, unsigned *then) { int e = small(gpu, "ecc", now); if (!e) *then = *now; return e; }
int nvmlDeviceGetDefaultEccMode(void *gpu, unsigned *value) { return small(gpu, "ecc_default", value); }
int nvmlDeviceGetTotalEccErrors(void *gpu, int kind, int counter, unsigned long long *value) { (void)counter; return number(gpu, kind ? "uncorrected" : "corrected", value); }
int nvmlDeviceGetRemappedRows(void *gpu, unsigned *good, unsigned *bad, unsigned *pending, unsigned *failed) {
    *good = *bad = 0;
    int error = small(gpu, "remap_pending", pending);
    return error ? error : small(gpu, "remap_failed", failed);
}
int nvmlDeviceGetMigMode(void *gpu, unsigned *now, unsigned *then) { int e = small(gpu, "mig", now); if (!e) *then = *now; return e; }
int nvmlDeviceGetMaxMigDeviceCount(void *gpu, unsigned *value) { int e = small(gpu, "mig_most", value); if (e == NOT_SUPPORTED) { *value = 7; e = 0; } return e; }
int nvmlDeviceGetMigDeviceHandleByIndex(void *gpu, unsigned index, void **part) {
    unsigned there = 0;
    int error = small(gpu, "mig_parts", &there);
    *part = gpu;
    return error ? error : index < there ? 0 : 6;
}
int nvmlDeviceGetComputeMode(void *gpu, unsigned *value) { return small(gpu, "compute_mode", value); }
int nvmlDeviceGetComputeRunningProcesses_v3(void *gpu, unsigned *count, void *programs) {
    unsigned there = 0, room = programs ? *count : 0;
    int error = small(gpu, "programs", &there);
    *count = there;
    if (error || there > room) return error ? error : 7;
    memset(programs, 0, 24 * (size_t)there);
    return 0;
}
typedef struct { unsigned field, scope; long long time, took; unsigned type; int error; unsigned long long value; } field_value;
int nvmlDeviceGetFieldValues(void *gpu, int many, field_value *values) {
    char name[32];
    for (int index = 0; index < many; index++) {
        snprintf(name, sizeof name, "field.%u", values[index].field);
        values[index].type = 3;
        values[index].error = number(gpu, name, &values[index].value);
    }
    return 0;
}
int nvmlDeviceGetPcieReplayCounter(void *gpu, unsigned *value) { return small(gpu, "replays", value); }
int nvmlDeviceGetBAR1MemoryInfo(void *gpu, unsigned long long *value) { value[1] = value[2] = 0; return number(gpu, "bar1", value); }
int nvmlDeviceGetVbiosVersion(void *gpu, char *value, unsigned size) { return of_gpu(gpu, "vbios", value, size); }
int nvmlDeviceValidateInforom(void *gpu) { unsigned whole; return small(gpu, "inforom", &whole); }
int nvmlDeviceGetRowRemapperHistogram(void *gpu, unsigned *banks) { memset(banks, 0, 5 * sizeof *banks); return small(gpu, "full_banks", banks + 4); }
int nvmlDeviceGetNvLinkState(void *gpu, unsigned link, unsigned *value) {
    char name[32];
    snprintf(name, sizeof name, "nvlink.%u", link);
    return small(gpu, name, value);
}
int nvmlDeviceGetNvLinkRemoteDeviceType(void *gpu, unsigned link, unsigned *value) { (void)link; return small(gpu, "nvlink_to", value); }
typedef struct { unsigned version; unsigned long long counts[11]; unsigned exceeded; } sram_status;
int nvmlDeviceGetSramEccErrorStatus(void *gpu, sram_status *status) { return small(gpu, "sram_exceeded", &status->exceeded); }
int nvmlDeviceGetP2PStatus(void *one, void *other, int index, unsigned *value) {
    char name[32];
    (void)index;
    snprintf(name, sizeof name, "peers.%ld", (long)(intptr_t)other - 1);
    int error = small(one, name, value);
    return error == NOT_SUPPORTED ? small(one, "peers", value) : error;
}
