/* A disk that can lose power, be full, or refuse: loaded into the program (LD_PRELOAD), in front of
 * the C library. Only what lies at or below the folder DISK_ROOT is concerned.
 *
 * What is synced is kept in the folder DISK_PLATTER, as of the last sync: `f<inode>` holds the bytes
 * of a file, `d<inode>` the names in a folder, each as type, inode and name.
 * `k<inode>` only keeps the inode, so that no other file gets its number.
 *
 * While the file DISK_FAULT exists, a call whose kind it names ("write" or "sync") fails with the
 * number that follows. Each failure adds a byte to DISK_FAULT with `.met` behind its name.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#define REAL(name, ...) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))(__VA_ARGS__)

static pthread_mutex_t platter = PTHREAD_MUTEX_INITIALIZER;

static int is_below(const char *path) {
    const char *root = getenv("DISK_ROOT");
    size_t length = root ? strlen(root) : 0;
    return length && !strncmp(path, root, length) && (!path[length] || path[length] == '/');
}

static int path_of(int fd, char *path) {
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, PATH_MAX - 1);
    if (length < 0) return 0;
    path[length] = 0;
    return 1;
}

/* The error number that `kind` meets now; 0 for none. */
static int fault(const char *kind) {
    const char *name = getenv("DISK_FAULT");
    char text[64] = {0}, found[16], met[PATH_MAX];
    int number = 0;
    int fd = name ? REAL(open, name, O_RDONLY | O_CLOEXEC) : -1;
    if (fd < 0) return 0;
    ssize_t length = read(fd, text, sizeof text - 1);
    close(fd);
    if (length <= 0 || sscanf(text, "%15s %d", found, &number) != 2) return 0;
    if (strcmp(found, kind)) return 0;
    snprintf(met, sizeof met, "%s.met", name);
    fd = REAL(open, met, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    if (fd >= 0) {
        if (REAL(write, fd, ".", 1) != 1) abort();
        close(fd);
    }
    return number;
}

static int fails(const char *kind, const char *path) {
    int number = is_below(path) ? fault(kind) : 0;
    if (number) errno = number;
    return number;
}

static int fd_fails(const char *kind, int fd) {
    char path[PATH_MAX];
    int before = errno;
    if (getenv("DISK_FAULT") && path_of(fd, path) && fails(kind, path)) return 1;
    errno = before;
    return 0;
}

static void keep_file(int fd, FILE *out) {
    char link[64], bytes[1 << 16];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    int copy = REAL(open, link, O_RDONLY | O_CLOEXEC);
    if (copy < 0) abort();
    ssize_t length;
    while ((length = read(copy, bytes, sizeof bytes)) > 0)
        if (fwrite(bytes, 1, length, out) != (size_t)length) abort();
    close(copy);
}

static void keep_folder(const char *path, FILE *out) {
    DIR *folder = opendir(path);
    if (!folder) abort();
    for (struct dirent *entry; (entry = readdir(folder));) {
        if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, "..")) continue;
        char type = entry->d_type == DT_DIR ? 'd' : 'f';
        unsigned long inode = entry->d_ino;
        fprintf(out, "%c %lu %s\n", type, inode, entry->d_name);
    }
    closedir(folder);
}

/* Writes what is synced beside the platter, and tells where; it counts once it has its name. */
static int stage(int fd, char *staged, char *name) {
    const char *folder = getenv("DISK_PLATTER");
    char path[PATH_MAX], kept[PATH_MAX], link[64];
    struct stat about;
    if (!folder || !path_of(fd, path) || !is_below(path) || fstat(fd, &about)) return 0;
    int is_folder = S_ISDIR(about.st_mode);
    unsigned long inode = about.st_ino;
    snprintf(name, PATH_MAX, "%s/%c%lu", folder, is_folder ? 'd' : 'f', inode);
    snprintf(staged, PATH_MAX, "%s/staged", folder);
    snprintf(kept, PATH_MAX, "%s/k%lu", folder, inode);
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    if (!is_folder)
        REAL(linkat, AT_FDCWD, link, AT_FDCWD, kept, AT_SYMLINK_FOLLOW);
    FILE *out = fopen(staged, "w");
    if (!out) abort();
    if (is_folder) keep_folder(path, out);
    else keep_file(fd, out);
    if (fclose(out)) abort();
    return 1;
}

static int synced(int fd, int (*sync)(int)) {
    char staged[PATH_MAX], name[PATH_MAX];
    if (fd_fails("sync", fd)) return -1;
    pthread_mutex_lock(&platter);
    int keeps = stage(fd, staged, name);
    int done = sync(fd);
    if (keeps && !done && REAL(rename, staged, name)) abort();
    pthread_mutex_unlock(&platter);
    return done;
}

int fsync(int fd) { return synced(fd, (int (*)(int))dlsym(RTLD_NEXT, "fsync")); }
int fdatasync(int fd) { return synced(fd, (int (*)(int))dlsym(RTLD_NEXT, "fdatasync")); }

ssize_t write(int fd, const void *bytes, size_t length) {
    return fd_fails("write", fd) ? -1 : REAL(write, fd, bytes, length);
}

ssize_t writev(int fd, const struct iovec *pieces, int count) {
    return fd_fails("write", fd) ? -1 : REAL(writev, fd, pieces, count);
}

ssize_t pwrite64(int fd, const void *bytes, size_t length, off64_t at) {
    return fd_fails("write", fd) ? -1 : REAL(pwrite64, fd, bytes, length, at);
}

#define OPEN(name)                                                            \
    int name(const char *path, int flags, ...) {                              \
        va_list more;                                                         \
        va_start(more, flags);                                                \
        mode_t mode = flags & O_CREAT ? va_arg(more, mode_t) : 0;             \
        va_end(more);                                                         \
        if ((flags & O_CREAT) && fails("write", path)) return -1;             \
        return REAL(name, path, flags, mode);                                 \
    }
OPEN(open)
OPEN(open64)

int mkdir(const char *path, mode_t mode) {
    return fails("write", path) ? -1 : REAL(mkdir, path, mode);
}

int rename(const char *from, const char *to) {
    return fails("write", to) ? -1 : REAL(rename, from, to);
}

int linkat(int from_fd, const char *from, int to_fd, const char *to, int flags) {
    return fails("write", to) ? -1 : REAL(linkat, from_fd, from, to_fd, to, flags);
}
