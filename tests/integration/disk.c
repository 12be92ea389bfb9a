/* Stands between the server and its disk, for tests/integration/disk.rs: loaded before libc.
 *
 * While the file named by SYNC_FAILS is there, syncing the database fails. While the one named by DISK_FULL is there,
 * writing to the database finds no space. While the one named by READS_HANG is there, reading the database waits. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

static int is_there(const char *variable) {
    const char *path = getenv(variable);
    return path && access(path, F_OK) == 0;
}

static int is_database(int fd) {
    char link[64], target[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, target, sizeof target - 1);
    if (length < 0) return 0;
    target[length] = 0;
    return strstr(target, "gavel.db") != NULL;
}

static void wait_while_reads_hang(int fd) {
    while (is_there("READS_HANG") && is_database(fd)) usleep(10000);
}

#define NEXT(type, name) ((type)dlsym(RTLD_NEXT, name))

#define SYNC(name)                                                                                                     \
    int name(int fd) {                                                                                                 \
        if (is_there("SYNC_FAILS") && is_database(fd)) {                                                               \
            errno = EIO;                                                                                               \
            return -1;                                                                                                 \
        }                                                                                                              \
        return NEXT(int (*)(int), #name)(fd);                                                                          \
    }
SYNC(fsync)
SYNC(fdatasync)

#define PWRITE(name)                                                                                                   \
    ssize_t name(int fd, const void *from, size_t count, off_t offset) {                                               \
        if (is_there("DISK_FULL") && is_database(fd)) {                                                                \
            errno = ENOSPC;                                                                                            \
            return -1;                                                                                                 \
        }                                                                                                              \
        return NEXT(ssize_t(*)(int, const void *, size_t, off_t), #name)(fd, from, count, offset);                     \
    }
PWRITE(pwrite)
PWRITE(pwrite64)

#define PREAD(name)                                                                                                    \
    ssize_t name(int fd, void *into, size_t count, off_t offset) {                                                     \
        wait_while_reads_hang(fd);                                                                                     \
        return NEXT(ssize_t(*)(int, void *, size_t, off_t), #name)(fd, into, count, offset);                           \
    }
PREAD(pread)
PREAD(pread64)

ssize_t read(int fd, void *into, size_t count) {
    wait_while_reads_hang(fd);
    return NEXT(ssize_t(*)(int, void *, size_t), "read")(fd, into, count);
}
