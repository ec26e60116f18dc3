/* power: the end of the machine. */
#ifndef PLINTH_SYS_POWER_H
#define PLINTH_SYS_POWER_H

#include <stdnoreturn.h>

/* Writes out what is pending, lets the console drain, says `why` (NULL: nothing) and powers off. Any process other than
 * PID 1 only exits, with status 1. */
noreturn void power_off(const char *why);

#endif
