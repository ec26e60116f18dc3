// See header. The Makefile gives both values to this file alone, so that a new commit compiles nothing else.
#include "base/version.h"

const char plinth_version[] = PLINTH_VERSION;
const long long plinth_build_date = PLINTH_BUILD_DATE;
