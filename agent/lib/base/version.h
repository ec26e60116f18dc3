// Version and date of this build. The date is the commit's (seconds since 1970, UTC), so that equal sources give equal bytes;
// it is also the earliest time the agent believes in: a clock before it is wrong.
#ifndef BASE_VERSION_H
#define BASE_VERSION_H

extern const char plinth_version[];       // "0.1.0"
extern const long long plinth_build_date; // seconds since 1970

#endif
