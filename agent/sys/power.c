/* see power.h */
#include "sys/power.h"

#include "sys/console.h"

#include <sys/reboot.h>
#include <termios.h>
#include <unistd.h>

noreturn void power_off(const char *why) {
    if (why) console_say("%s; powering off", why);
    tcdrain(STDERR_FILENO); /* a serial line loses what is still in its buffer */
    if (getpid() != 1) _exit(1);
    sync();
    reboot(RB_POWER_OFF);
    for (;;) pause(); /* PID 1 may not end: the kernel would panic */
}
