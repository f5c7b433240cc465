/*
 * Makes every synchronisation with the medium take longer, for whoever runs with this library preloaded:
 *
 *   fsync, fdatasync, syncfs, msync(MS_SYNC)             always
 *   write, pwrite, writev, pwritev, pwritev2 (and …64)   on a descriptor opened with O_DSYNC or O_SYNC: these synchronise too
 *
 * It is the same for every subject: whichever of these a store calls to make a commit durable, the call takes RINGMAIL_BENCH_SYNC_MS
 * longer, in the thread that called it, exactly as on a slow medium. A plain write into the page cache costs nothing extra, nor does
 * sync_file_range, which promises nothing. No subject is asked which way it goes.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

static void delay(void) {
  static long ms = -1;
  if (ms < 0) {
    const char *text = getenv("RINGMAIL_BENCH_SYNC_MS");
    ms = text == NULL ? 0 : atol(text);
  }
  struct timespec left = {ms / 1000, (ms % 1000) * 1000000L};
  while (nanosleep(&left, &left) != 0) {
  }
}

static void delay_if_synchronous(int fd) {
  int flags = fcntl(fd, F_GETFL);
  if (flags != -1 && (flags & (O_DSYNC | O_SYNC)) != 0) delay();
}

#define NEXT(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))
#define ALWAYS(name, parameters, arguments) \
  int name parameters {                     \
    int result = NEXT(name) arguments;      \
    delay();                                \
    return result;                          \
  }
#define IF_SYNCHRONOUS(name, parameters, arguments) \
  ssize_t name parameters {                         \
    ssize_t result = NEXT(name) arguments;          \
    delay_if_synchronous(fd);                       \
    return result;                                  \
  }

ALWAYS(fsync, (int fd), (fd))
ALWAYS(fdatasync, (int fd), (fd))
ALWAYS(syncfs, (int fd), (fd))

int msync(void *address, size_t length, int flags) {
  int result = NEXT(msync)(address, length, flags);
  if ((flags & MS_SYNC) != 0) delay();
  return result;
}

IF_SYNCHRONOUS(write, (int fd, const void *bytes, size_t count), (fd, bytes, count))
IF_SYNCHRONOUS(writev, (int fd, const struct iovec *parts, int count), (fd, parts, count))
IF_SYNCHRONOUS(pwrite, (int fd, const void *bytes, size_t count, off_t at), (fd, bytes, count, at))
IF_SYNCHRONOUS(pwrite64, (int fd, const void *bytes, size_t count, off64_t at), (fd, bytes, count, at))
IF_SYNCHRONOUS(pwritev, (int fd, const struct iovec *parts, int count, off_t at), (fd, parts, count, at))
IF_SYNCHRONOUS(pwritev64, (int fd, const struct iovec *parts, int count, off64_t at), (fd, parts, count, at))
IF_SYNCHRONOUS(pwritev2, (int fd, const struct iovec *parts, int count, off_t at, int flags), (fd, parts, count, at, flags))
IF_SYNCHRONOUS(pwritev64v2, (int fd, const struct iovec *parts, int count, off64_t at, int flags), (fd, parts, count, at, flags))
