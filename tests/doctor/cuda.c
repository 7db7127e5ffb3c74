/* libcuda.so.1 for machines without a GPU: the calls of NVIDIA's cuda.h that the doctor makes, answers out of the file
 * that is called as this library, with ".told" after it.
 * A line is `CALL RESULT`: init, count, device, context, or `context-2` for the third GPU; `devices 8` is how many there
 * are (1). RESULT is a CUresult, or `hang`, `crash`, `exit`; `noise` fills standard output. What is not there is 0. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *named(const char *key) {
    static char line[256];
    char path[4200];
    Dl_info self;
    size_t length = strlen(key);
    if (!dladdr((void *)named, &self)) return "";
    snprintf(path, sizeof path, "%s.told", self.dli_fname);
    FILE *file = fopen(path, "r");
    const char *found = "";
    while (file && !*found && fgets(line, sizeof line, file)) {
        line[strcspn(line, "\n")] = 0;
        if (!strncmp(line, key, length) && line[length] == ' ') found = line + length + 1;
    }
    if (file) fclose(file);
    return found;
}

static int result(const char *key) {
    const char *found = named(key);
    if (!strcmp(found, "hang")) for (;;) sleep(60);
    if (!strcmp(found, "crash")) __builtin_trap();
    if (!strcmp(found, "exit")) exit(7);
    if (!strcmp(found, "noise")) for (int line = 0; line < 100000; line++) puts("init 0\ndevices 999999999999999999999");
    return atoi(found);
}

int cuInit(unsigned flags) { (void)flags; return result("init"); }
int cuDeviceGetCount(int *count) { const char *told = named("devices"); *count = *told ? atoi(told) : 1; return result("count"); }
int cuDeviceGet(int *device, int index) { *device = index; return result("device"); }
int cuDevicePrimaryCtxRetain(void **context, int device) {
    char key[32];
    *context = 0;
    snprintf(key, sizeof key, "context-%d", device);
    return *named(key) ? result(key) : result("context");
}
int cuGetErrorName(int error, const char **name) {
    *name = error == 802 ? "CUDA_ERROR_SYSTEM_NOT_READY" : "CUDA_ERROR_OF_SOME_KIND";
    return 0;
}
