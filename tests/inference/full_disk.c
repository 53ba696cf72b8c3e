/* Preloaded: from the n-th write under a folder on, the disk is full; or for that one write only. Linux. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

static char folder[PATH_MAX], failed[PATH_MAX + 32];
static long left, seen;
static int once;

void full_disk_begin(const char *under, long after, int only_once) {
    strncpy(folder, under, sizeof folder - 1);
    left = after, once = only_once, seen = 0, failed[0] = 0;
}

long full_disk_end(void) { folder[0] = 0; return seen; }

const char *full_disk_failed(void) { return failed; }

static int full(const char *path, const char *what) {
    if (!folder[0] || strncmp(path, folder, strlen(folder))) return 0;
    seen++;
    if (left > 0) { left--; return 0; }
    if (once && failed[0]) return 0;
    if (!failed[0]) snprintf(failed, sizeof failed, "%s %s", what, path + strlen(folder));
    errno = ENOSPC;
    return 1;
}

static int full_fd(int fd, const char *what) {
    char link[64], path[PATH_MAX];
    if (!folder[0]) return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, path, sizeof path - 1);
    if (n < 0) return 0;
    path[n] = 0;
    return full(path, what);
}

#define NEXT(name) ((typeof(&name))dlsym(RTLD_NEXT, #name))
#define WRITES(type, name, signature, ...) \
    type name signature { return full_fd(fd, #name) ? -1 : NEXT(name)(__VA_ARGS__); }
#define NAMES(name, signature, path, ...) \
    int name signature { return full(path, #name) ? -1 : NEXT(name)(__VA_ARGS__); }
#define OPENS(name) \
    int name(const char *path, int flags, ...) { \
        va_list more; va_start(more, flags); mode_t mode = flags & O_CREAT ? va_arg(more, mode_t) : 0; va_end(more); \
        return flags & O_CREAT && access(path, F_OK) && full(path, #name) ? -1 : NEXT(name)(path, flags, mode); \
    }

WRITES(ssize_t, write, (int fd, const void *b, size_t n), fd, b, n)
WRITES(ssize_t, pwrite, (int fd, const void *b, size_t n, off_t at), fd, b, n, at)
WRITES(ssize_t, pwrite64, (int fd, const void *b, size_t n, off64_t at), fd, b, n, at)
WRITES(ssize_t, writev, (int fd, const struct iovec *v, int n), fd, v, n)
WRITES(int, fallocate, (int fd, int mode, off_t at, off_t n), fd, mode, at, n)
NAMES(rename, (const char *old, const char *new), new, old, new)
NAMES(renameat, (int from, const char *old, int to, const char *new), new, from, old, to, new)
int mkdir(const char *path, mode_t mode) {
    return access(path, F_OK) && full(path, "mkdir") ? -1 : NEXT(mkdir)(path, mode);
}
OPENS(open)
OPENS(open64)
