/* Preloaded library that lets file operations fail, or kills the process at one of them.
 *
 * Only operations that change something below one folder count. Everything is set through ctypes: `fault_arm` counts the
 * operations and fails from one of them on, `fault_begin` fails from the first one on a file of some name on, `fault_trace`
 * writes down every one, and `fault_clock` sets the clock by so many seconds.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define KILL (-9)

static char under[4096], pattern[4096];
static long count, at;
static int error;
static int armed;
static int begun;
static int trace = -1;
static long clock_s;

void fault_arm(const char *folder, long operation, int what) {
    snprintf(under, sizeof under, "%s", folder);
    *pattern = 0, count = 0, at = operation, error = what, armed = 1;
}

long fault_count(void) { armed = 0; return count; }

/* Fail from the first operation on that does not remove a file and whose path below the folder matches. */
void fault_begin(const char *folder, const char *name, int what) {
    snprintf(under, sizeof under, "%s", folder);
    snprintf(pattern, sizeof pattern, "%s", name);
    begun = 0, count = 0, at = 1, error = what, armed = 1;
}

int fault_begun(void) { return begun; }

/* Write the path of every operation that does not remove a file to another file, one a line. */
void fault_trace(const char *folder, int descriptor) {
    snprintf(under, sizeof under, "%s", folder);
    *pattern = 0, count = 0, at = 0, trace = descriptor, armed = 1;
}

void fault_clock(long seconds) { clock_s = seconds; }

static void write_down(const char *path) {
    char line[4200];
    int length = snprintf(line, sizeof line, "%s\n", path + strlen(under) + 1);
    syscall(SYS_write, trace, line, length);  /* not `write`, which is this library's */
}

/* Return the error of an operation on a path, 0 if it may go on. A full disk still lets files be removed. */
static int fails(const char *path, int removes) {
    size_t length = strlen(under);
    if (!armed || !path || strncmp(path, under, length) || path[length] != '/')
        return 0;
    if (trace >= 0 && !removes)
        write_down(path);
    if (*pattern && !begun) {
        if (removes || fnmatch(pattern, path + length + 1, FNM_PATHNAME | FNM_NOESCAPE))
            return 0;
        begun = 1;
    }
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
#define CHECK_OR(path, removes, failed) do { int e = fails(path, removes); if (e) { errno = e; return failed; } } while (0)
#define CHECK(path, removes) CHECK_OR(path, removes, -1)
#define OF_FD_OR(descriptor, failed) \
    char buffer[4096]; CHECK_OR(armed ? path_of(descriptor, buffer, sizeof buffer) : NULL, 0, failed)
#define OF_FD(descriptor) OF_FD_OR(descriptor, -1)
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
ssize_t writev(int fd, const struct iovec *parts, int n) { OF_FD(fd); NEXT(writev); return next(fd, parts, n); }
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

/* TensorFlow writes through the C library's streams, which call its own `write` by a name that nothing can replace. */
#define FOPEN(name) \
    FILE *name(const char *path, const char *mode) { \
        NEXT(name); \
        if (strpbrk(mode, "wa+")) CHECK_OR(path, 0, NULL); \
        return next(path, mode); \
    }
FOPEN(fopen)
FOPEN(fopen64)
size_t fwrite(const void *data, size_t size, size_t n, FILE *file) {
    OF_FD_OR(fileno(file), 0); NEXT(fwrite); return next(data, size, n, file);
}
int fflush(FILE *file) {
    NEXT(fflush);
    if (!file)
        return next(file);
    OF_FD_OR(fileno(file), EOF);
    return next(file);
}

int fsync(int fd) { OF_FD(fd); NEXT(fsync); return next(fd); }
int fdatasync(int fd) { OF_FD(fd); NEXT(fdatasync); return next(fd); }
int ftruncate(int fd, off_t size) { OF_FD(fd); NEXT(ftruncate); return next(fd, size); }
int ftruncate64(int fd, off64_t size) { OF_FD(fd); NEXT(ftruncate64); return next(fd, size); }
int mkdir(const char *path, mode_t mode) { NEXT(mkdir); CHECK(path, 0); return next(path, mode); }
int link(const char *old, const char *new) { NEXT(link); CHECK(new, 0); return next(old, new); }
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
