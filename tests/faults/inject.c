/* Preloaded library that lets file operations fail, or kills the process at one of them.
 *
 * Only operations that change something below one folder count. `fault_arm` is called through ctypes; a whole run is
 * armed by the variables FAULT_UNDER and FAULT_ERROR instead, and begins to fail when the file FAULT_WHEN exists.
 * FAULT_CLOCK sets the clock by so many seconds.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

#define KILL (-9)

static char under[4096], when[4096];
static long count, at;
static int error;
static int armed;
static long clock_s;

void fault_arm(const char *folder, long operation, int what) {
    snprintf(under, sizeof under, "%s", folder);
    count = 0, at = operation, error = what, armed = 1;
}

long fault_count(void) { armed = 0; return count; }

__attribute__((constructor)) static void arm_by_environment(void) {
    const char *folder = getenv("FAULT_UNDER"), *what = getenv("FAULT_ERROR"), *trigger = getenv("FAULT_WHEN");
    const char *shift = getenv("FAULT_CLOCK");
    clock_s = shift ? atol(shift) : 0;
    if (folder && what && trigger) {
        snprintf(when, sizeof when, "%s", trigger);
        fault_arm(folder, 1, atoi(what));
    }
}

/* Return the error of an operation on a path, 0 if it may go on. A full disk still lets files be removed. */
static int fails(const char *path, int removes) {
    if (!armed || !path || strncmp(path, under, strlen(under)))
        return 0;
    if (*when && access(when, F_OK))
        return 0;
    count++;
    if (!at || count < at)
        return 0;
    if (error == KILL)
        kill(getpid(), SIGKILL);
    return error == ENOSPC && removes ? 0 : error;
}

static const char *path_of(int descriptor, char *buffer, size_t size) {
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
    ssize_t length = readlink(link, buffer, size - 1);
    if (length < 0)
        return NULL;
    buffer[length] = 0;
    return buffer;
}

static const char *path_at(int folder, const char *path, char *buffer, size_t size) {
    if (*path == '/' || folder == AT_FDCWD)
        return path;
    char parent[4096];
    if (!path_of(folder, parent, sizeof parent))
        return NULL;
    snprintf(buffer, size, "%s/%s", parent, path);
    return buffer;
}

#define NEXT(name) static __typeof__(&name) next; if (!next) next = (__typeof__(&name))dlsym(RTLD_NEXT, #name)
#define CHECK(path, removes) do { int e = fails(path, removes); if (e) { errno = e; return -1; } } while (0)
#define OF_FD(descriptor) char buffer[4096]; CHECK(armed ? path_of(descriptor, buffer, sizeof buffer) : NULL, 0)
#define AT(folder, path) armed ? path_at(folder, path, buffer, sizeof buffer) : NULL
#define CHANGES(flags) ((flags) & (O_WRONLY | O_RDWR | O_CREAT | O_TRUNC))

#define OPEN(name) \
    int name(const char *path, int flags, ...) { \
        va_list list; va_start(list, flags); mode_t mode = va_arg(list, mode_t); va_end(list); \
        NEXT(name); \
        if (CHANGES(flags)) CHECK(path, 0); \
        return next(path, flags, mode); \
    }
OPEN(open)
OPEN(open64)

#define OPENAT(name) \
    int name(int folder, const char *path, int flags, ...) { \
        va_list list; va_start(list, flags); mode_t mode = va_arg(list, mode_t); va_end(list); \
        char buffer[8192]; NEXT(name); \
        if (CHANGES(flags)) CHECK(AT(folder, path), 0); \
        return next(folder, path, flags, mode); \
    }
OPENAT(openat)
OPENAT(openat64)

ssize_t write(int fd, const void *data, size_t size) { OF_FD(fd); NEXT(write); return next(fd, data, size); }
ssize_t pwrite(int fd, const void *data, size_t size, off_t offset) {
    OF_FD(fd); NEXT(pwrite); return next(fd, data, size, offset);
}
ssize_t pwrite64(int fd, const void *data, size_t size, off64_t offset) {
    OF_FD(fd); NEXT(pwrite64); return next(fd, data, size, offset);
}
ssize_t sendfile(int out, int in, off_t *offset, size_t size) {
    OF_FD(out); NEXT(sendfile); return next(out, in, offset, size);
}
ssize_t sendfile64(int out, int in, off64_t *offset, size_t size) {
    OF_FD(out); NEXT(sendfile64); return next(out, in, offset, size);
}
int fsync(int fd) { OF_FD(fd); NEXT(fsync); return next(fd); }
int ftruncate(int fd, off_t size) { OF_FD(fd); NEXT(ftruncate); return next(fd, size); }
int ftruncate64(int fd, off64_t size) { OF_FD(fd); NEXT(ftruncate64); return next(fd, size); }
int mkdir(const char *path, mode_t mode) { NEXT(mkdir); CHECK(path, 0); return next(path, mode); }
int rename(const char *old, const char *new) { NEXT(rename); CHECK(new, 0); return next(old, new); }
int unlink(const char *path) { NEXT(unlink); CHECK(path, 1); return next(path); }
int rmdir(const char *path) { NEXT(rmdir); CHECK(path, 1); return next(path); }
int unlinkat(int folder, const char *path, int flags) {
    char buffer[8192]; NEXT(unlinkat); CHECK(AT(folder, path), 1); return next(folder, path, flags);
}

int clock_gettime(clockid_t which, struct timespec *now) {
    NEXT(clock_gettime);
    int status = next(which, now);
    if (!status && (which == CLOCK_REALTIME || which == CLOCK_REALTIME_COARSE))
        now->tv_sec += clock_s;
    return status;
}
time_t time(time_t *now) {
    struct timespec precise;
    clock_gettime(CLOCK_REALTIME, &precise);
    if (now)
        *now = precise.tv_sec;
    return precise.tv_sec;
}
int gettimeofday(struct timeval *now, void *zone) {
    (void)zone;
    struct timespec precise;
    clock_gettime(CLOCK_REALTIME, &precise);
    if (now)
        now->tv_sec = precise.tv_sec, now->tv_usec = precise.tv_nsec / 1000;
    return 0;
}
