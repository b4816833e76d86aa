/* Stands between a program and the C library: records every change of the files below one folder, and lets chosen calls
 * fail. It must never know what the files mean. Loaded with LD_PRELOAD; told what to do by the environment:
 *
 *   PALINODE_DISK_BASE      the folder whose changes are recorded
 *   PALINODE_DISK_JOURNAL   where they are recorded
 *   PALINODE_DISK_NOTES     writing to this path records a note instead: what the program knows at that moment
 *   PALINODE_DISK_FAULT     "nth errno mode": the nth change fails; mode `once`, `ever` (that one and all after it), or
 *                           `short` (half of that write is done, then as `ever`)
 *
 * A sync is recorded and not done: what it makes last is for the reader of the journal to say.
 * Files that hold nothing lasting (-shm, .lock, .pid) are left alone. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { CREATE = 1, WRITE, SYNC, TRUNCATE, UNLINK, RENAME, MKDIR, NOTE };
enum { FILES = 1024 };

/* What a record of the journal begins with; name and data follow. */
struct head {
    uint32_t kind, error, name, data;
    uint64_t inode, at;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static const char *base, *notes;
static int journal = -1, fault_error, fault_ever, fault_short;
static unsigned long fault_at, changes;
static struct { int watched; uint64_t inode; } files[FILES];
static int (*real_open)(const char *, int, ...);
static int (*real_close)(int);
static ssize_t (*real_write)(int, const void *, size_t);
static ssize_t (*real_pwrite)(int, const void *, size_t, off_t);
static int (*real_fsync)(int);
static int (*real_ftruncate)(int, off_t);
static int (*real_unlink)(const char *);
static int (*real_rename)(const char *, const char *);
static int (*real_mkdir)(const char *, mode_t);

__attribute__((constructor)) static void begin(void) {
    real_open = dlsym(RTLD_NEXT, "open64");
    real_close = dlsym(RTLD_NEXT, "close");
    real_write = dlsym(RTLD_NEXT, "write");
    real_pwrite = dlsym(RTLD_NEXT, "pwrite64");
    real_fsync = dlsym(RTLD_NEXT, "fsync");
    real_ftruncate = dlsym(RTLD_NEXT, "ftruncate64");
    real_unlink = dlsym(RTLD_NEXT, "unlink");
    real_rename = dlsym(RTLD_NEXT, "rename");
    real_mkdir = dlsym(RTLD_NEXT, "mkdir");
    base = getenv("PALINODE_DISK_BASE");
    notes = getenv("PALINODE_DISK_NOTES");
    const char *path = getenv("PALINODE_DISK_JOURNAL"), *fault = getenv("PALINODE_DISK_FAULT");
    char mode[16] = "";
    if (fault) sscanf(fault, "%lu %d %15s", &fault_at, &fault_error, mode);
    fault_short = !strcmp(mode, "short");
    fault_ever = fault_short || !strcmp(mode, "ever");
    if (base && path) journal = real_open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
}

/* The name below the base, or NULL for what is not recorded. */
static const char *name_of(const char *path) {
    size_t length = base ? strlen(base) : 0;
    if (journal < 0 || !path || strncmp(path, base, length) || (path[length] && path[length] != '/')) return NULL;
    const char *name = path[length] ? path + length + 1 : path + length;
    static const char *passing[] = {"-shm", ".lock", ".pid"};
    for (size_t i = 0; i < sizeof passing / sizeof *passing; i++) {
        size_t end = strlen(passing[i]), all = strlen(name);
        if (all >= end && !strcmp(name + all - end, passing[i])) return NULL;
    }
    return name;
}

static void put(const void *bytes, size_t size) {
    if (real_write(journal, bytes, size) != (ssize_t)size) abort();
}

static void record(uint32_t kind, int error, uint64_t inode, uint64_t at, const char *name, const void *data, size_t size) {
    struct head head = {kind, (uint32_t)error, (uint32_t)strlen(name), (uint32_t)size, inode, at};
    put(&head, sizeof head);
    put(name, head.name);
    put(data, size);
}

/* What the next change meets: 0, or the error it has to fail with. */
static int fault(void) {
    unsigned long now = ++changes;
    return fault_at && (now == fault_at || (fault_ever && now > fault_at)) ? fault_error : 0;
}

/* A disk that is full still syncs, and still removes. */
static int fault_unless_full(void) {
    int error = fault();
    return error == ENOSPC && fault_ever ? 0 : error;
}

static int watched(int fd) { return fd >= 0 && fd < FILES && files[fd].watched; }

static int failed(int error) {
    errno = error;
    return -1;
}

static int open_watched(const char *path, int flags, mode_t mode) {
    const char *name = name_of(path);
    if (notes && !strcmp(path, notes)) {
        int fd = real_open("/dev/null", O_WRONLY | O_CLOEXEC);
        if (fd >= 0 && fd < FILES) files[fd].watched = 2;
        return fd;
    }
    if (!name) return real_open(path, flags, mode);
    pthread_mutex_lock(&lock);
    struct stat before, now;
    int there = !stat(path, &before), error = 0;
    int changes_it = there ? (flags & O_TRUNC) && before.st_size > 0 : flags & O_CREAT;
    if (changes_it) error = fault();
    int fd = error ? failed(error) : real_open(path, flags, mode);
    if (fd >= 0 && fd < FILES && !fstat(fd, &now)) {
        files[fd].watched = 1;
        files[fd].inode = now.st_ino;
        if (changes_it) record(there ? TRUNCATE : CREATE, 0, now.st_ino, 0, there ? "" : name, "", 0);
    }
    int saved = errno;
    pthread_mutex_unlock(&lock);
    errno = saved;
    return fd;
}

static mode_t mode_of(int flags, va_list rest) { return flags & (O_CREAT | O_TMPFILE) ? va_arg(rest, mode_t) : 0; }

int open(const char *path, int flags, ...) {
    va_list rest;
    va_start(rest, flags);
    mode_t mode = mode_of(flags, rest);
    va_end(rest);
    return open_watched(path, flags, mode);
}

int open64(const char *path, int flags, ...) {
    va_list rest;
    va_start(rest, flags);
    mode_t mode = mode_of(flags, rest);
    va_end(rest);
    return open_watched(path, flags | O_LARGEFILE, mode);
}

int close(int fd) {
    if (fd >= 0 && fd < FILES) files[fd].watched = 0;
    return real_close(fd);
}

static ssize_t write_at(int fd, const void *bytes, size_t size, off_t at) {
    pthread_mutex_lock(&lock);
    int error = fault();
    size_t part = error && fault_short && changes == fault_at && size > 1 ? size / 2 : error ? 0 : size;
    ssize_t written = part ? real_pwrite(fd, bytes, part, at) : failed(error);
    if (written > 0) record(WRITE, 0, files[fd].inode, at, "", bytes, written);
    int saved = errno;
    pthread_mutex_unlock(&lock);
    errno = saved;
    return written;
}

ssize_t write(int fd, const void *bytes, size_t size) {
    if (!watched(fd)) return real_write(fd, bytes, size);
    if (files[fd].watched == 2) {
        pthread_mutex_lock(&lock);
        record(NOTE, 0, 0, 0, "", bytes, size);
        pthread_mutex_unlock(&lock);
        return size;
    }
    off_t at = lseek(fd, 0, SEEK_CUR);
    ssize_t written = write_at(fd, bytes, size, at);
    int saved = errno;
    if (written > 0) lseek(fd, at + written, SEEK_SET);
    errno = saved;
    return written;
}

ssize_t pwrite(int fd, const void *bytes, size_t size, off_t at) {
    return watched(fd) ? write_at(fd, bytes, size, at) : real_pwrite(fd, bytes, size, at);
}

ssize_t pwrite64(int fd, const void *bytes, size_t size, off_t at) { return pwrite(fd, bytes, size, at); }

static int sync_watched(int fd) {
    pthread_mutex_lock(&lock);
    int error = fault_unless_full();
    record(SYNC, error, files[fd].inode, 0, "", "", 0);
    pthread_mutex_unlock(&lock);
    return error ? failed(error) : 0;
}

int fsync(int fd) { return watched(fd) ? sync_watched(fd) : real_fsync(fd); }
int fdatasync(int fd) { return fsync(fd); }

int ftruncate(int fd, off_t size) {
    if (!watched(fd)) return real_ftruncate(fd, size);
    pthread_mutex_lock(&lock);
    int error = fault_unless_full();
    int done = error ? failed(error) : real_ftruncate(fd, size);
    if (!done) record(TRUNCATE, 0, files[fd].inode, size, "", "", 0);
    pthread_mutex_unlock(&lock);
    if (error) errno = error;
    return done;
}

int ftruncate64(int fd, off_t size) { return ftruncate(fd, size); }

int unlink(const char *path) {
    const char *name = name_of(path);
    struct stat there;
    if (!name || stat(path, &there)) return real_unlink(path);
    pthread_mutex_lock(&lock);
    int error = fault_unless_full();
    int done = error ? failed(error) : real_unlink(path);
    if (!done) record(UNLINK, 0, 0, 0, name, "", 0);
    pthread_mutex_unlock(&lock);
    if (error) errno = error;
    return done;
}

int rename(const char *from, const char *to) {
    const char *name = name_of(from), *other = name_of(to);
    if (!name || !other) return real_rename(from, to);
    pthread_mutex_lock(&lock);
    int error = fault();
    int done = error ? failed(error) : real_rename(from, to);
    if (!done) record(RENAME, 0, 0, 0, name, other, strlen(other));
    pthread_mutex_unlock(&lock);
    if (error) errno = error;
    return done;
}

int mkdir(const char *path, mode_t mode) {
    const char *name = name_of(path);
    struct stat there;
    if (!name || !stat(path, &there)) return real_mkdir(path, mode);
    pthread_mutex_lock(&lock);
    int error = fault();
    int done = error ? failed(error) : real_mkdir(path, mode);
    if (!done && !stat(path, &there)) record(MKDIR, 0, there.st_ino, 0, name, "", 0);
    pthread_mutex_unlock(&lock);
    if (error) errno = error;
    return done;
}
