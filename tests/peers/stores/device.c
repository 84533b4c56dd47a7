// A device that is slow, or fails: put before a program with LD_PRELOAD.
//   SYNC_MS         how much longer every sync takes
//   SYNC_FAILS_AT   the number of the sync that fails with EIO, from 1; those after it are done
#define _GNU_SOURCE
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static atomic_long syncs;

static int sync_of(long call, int file) {
    const char *ms = getenv("SYNC_MS"), *fails_at = getenv("SYNC_FAILS_AT");
    if (ms) {
        long all = atol(ms);
        struct timespec pause = {all / 1000, all % 1000 * 1000000};
        nanosleep(&pause, NULL);
    }
    if (fails_at && atomic_fetch_add(&syncs, 1) + 1 == atol(fails_at)) {
        errno = EIO;
        return -1;
    }
    return syscall(call, file);
}

int fsync(int file) { return sync_of(SYS_fsync, file); }
int fdatasync(int file) { return sync_of(SYS_fdatasync, file); }
