/* The container of boot.py: says on the console, in the agent's own form and clock, when its first instruction ran. */
#include <stdio.h>
#include <time.h>
#include <unistd.h>

int main(void) {
    struct timespec t;
    clock_gettime(CLOCK_BOOTTIME, &t);
    printf("[%3ld.%03ld] container: first instruction\n", (long)t.tv_sec, t.tv_nsec / 1000000);
    fflush(stdout);
    for (;;) pause();
}
